/**
 * The mark of one step above its code: number, model, time, tokens, and what is worth knowing about it.
 *
 * Rule: a function of the cell's metadata and source, and of the attempts folded under it.
 */
import type { Cell } from '@jupyterlab/cells';
import { caretDownIcon, caretRightIcon, ReactWidget } from '@jupyterlab/ui-components';
import { Signal } from '@lumino/signaling';
import * as React from 'react';

import { ApprovalBar } from './approval';
import type { IApproval } from './approval';
import { sha256 } from './digest';
import { KEY, stepOf } from './metadata';
import type { IStepCell } from './metadata';
import { attempts, describeStep } from './words';

/** The attempts folded under a step; `toggle` shows or hides them. */
export interface IFold {
  count: number;
  isOpen: boolean;
  toggle: () => void;
}

export class StepMark extends ReactWidget {
  constructor(cell: Cell, approval: IApproval) {
    super();
    this._cell = cell;
    this._approval = approval;
    this.addClass('codeact-Mark');
    cell.model.metadataChanged.connect(this.update, this);
    cell.model.contentChanged.connect(this.update, this);
    this.update();
  }

  /** The attempts this step repaired; null for none. */
  set fold(fold: IFold | null) {
    this._fold = fold;
    this.update();
  }

  override dispose(): void {
    Signal.clearData(this);
    super.dispose();
  }

  protected override render(): React.ReactElement | null {
    const step = this._step;
    if (!step) {
      return null;
    }
    const isLive = this._approval.isLive(this._cell.model.id);
    const isChanged =
      step.ran !== '' && step.ran !== sha256(this._cell.model.sharedModel.getSource());
    return (
      <>
        <Line step={step} isChanged={isChanged} isLive={isLive} fold={this._fold} />
        {isLive && step.status === 'waiting' && (
          <ApprovalBar
            cell={this._cell.model.id}
            step={step.step}
            concerns={step.concerns}
            approval={this._approval}
          />
        )}
      </>
    );
  }

  private get _step(): IStepCell | null {
    return stepOf(this._cell.model.sharedModel.getMetadata(KEY));
  }

  private readonly _cell: Cell;
  private readonly _approval: IApproval;
  private _fold: IFold | null = null;
}

function Line(props: {
  step: IStepCell;
  isChanged: boolean;
  isLive: boolean;
  fold: IFold | null;
}): React.ReactElement {
  const words = describeStep(props.step, props.isChanged, props.isLive);
  return (
    <div className="codeact-Mark-line" data-mood={words.mood}>
      {props.fold && <Attempts {...props.fold} />}
      <span className="codeact-Mark-text" role="note" aria-label={words.spoken}>
        {words.state && <span className="codeact-Mark-state">{words.state}</span>}
        <span className="codeact-Mark-label">{words.label}</span>
        {words.facts && <span>{words.facts}</span>}
      </span>
    </div>
  );
}

function Attempts(fold: IFold): React.ReactElement {
  const Caret = fold.isOpen ? caretDownIcon : caretRightIcon;
  return (
    <button
      type="button"
      className="codeact-Mark-attempts"
      aria-expanded={fold.isOpen}
      onClick={fold.toggle}
    >
      <Caret.react tag="span" width="14px" height="14px" />
      {attempts(fold.count)}
    </button>
  );
}
