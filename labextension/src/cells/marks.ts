/**
 * The marks of one notebook: which cells carry one, and which attempts are folded away.
 *
 * Rule: what is marked follows from the cells' metadata; only which folds are open is remembered here, for as long
 * as the notebook is open. A cell the user is in is never hidden.
 */
import type { Cell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { PanelLayout } from '@lumino/widgets';

import type { IApproval } from './approval';
import { folds } from './folds';
import type { IFoldable } from './folds';
import { StepMark } from './mark';
import { KEY, roleOf, runOf, stepOf } from './metadata';
import { MADE } from './removal';

const RUN = 'codeact-Cell';

export class Marks implements IDisposable {
  constructor(panel: NotebookPanel, approval: IApproval) {
    this._panel = panel;
    this._approval = approval;
    panel.content.activeCellChanged.connect(this._schedule, this);
    panel.content.model?.cells.changed.connect(this._schedule, this);
    this._schedule();
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  /** Draw all marks anew: what the kernel knows has changed. */
  update(): void {
    for (const cell of this._panel.content.widgets) {
      this._marks.get(cell)?.update();
    }
  }

  /** Many changes come together; the cells are looked at once. */
  private _schedule(): void {
    if (!this._isScheduled) {
      this._isScheduled = true;
      requestAnimationFrame(() => {
        this._isScheduled = false;
        if (!this._isDisposed && !this._panel.isDisposed) {
          this._refresh();
        }
      });
    }
  }

  private _refresh(): void {
    const cells = this._panel.content.widgets;
    for (const cell of cells) {
      const facts = this._factsOf(cell);
      cell.toggleClass(RUN, MADE.has(facts.role));
      if (facts.role === 'step' && cell.model.type === 'code') {
        this._mark(cell);
      }
    }
    this._fold(cells);
  }

  /** A record may be long, so it is read once for each change of it. */
  private _factsOf(cell: Cell): IFoldable {
    const known = this._facts.get(cell);
    if (known) {
      return known;
    }
    if (!this._watched.has(cell)) {
      this._watched.add(cell);
      cell.model.metadataChanged.connect(() => {
        this._facts.delete(cell);
        this._schedule();
      }, this);
    }
    const metadata = cell.model.sharedModel.getMetadata(KEY);
    const facts = {
      id: cell.model.id,
      run: runOf(metadata),
      role: roleOf(metadata),
      status: stepOf(metadata)?.status ?? ''
    };
    this._facts.set(cell, facts);
    return facts;
  }

  private _mark(cell: Cell): void {
    if (this._marks.has(cell)) {
      return;
    }
    const mark = new StepMark(cell, this._approval);
    this._marks.set(cell, mark);
    void cell.ready.then(() => {
      if (!cell.isDisposed && cell.layout instanceof PanelLayout) {
        cell.layout.insertWidget(1, mark); // between the cell's header and its input
      }
    });
  }

  private _fold(cells: readonly Cell[]): void {
    const found = folds(cells.map(cell => this._factsOf(cell)));
    const active = this._panel.content.activeCell?.model.id ?? '';
    const hidden = new Set<string>();
    for (const [id, attempts] of found) {
      const ids = attempts.flat();
      if (!this._open.has(id) && !ids.includes(active)) {
        ids.forEach(each => hidden.add(each));
      }
    }
    for (const cell of cells) {
      const id = cell.model.id;
      if (hidden.has(id) !== this._hidden.has(id)) {
        cell.setHidden(hidden.has(id));
      }
      this._show(cell, found.get(id) ?? [], hidden);
    }
    this._hidden = hidden;
  }

  private _show(cell: Cell, attempts: readonly string[][], hidden: ReadonlySet<string>): void {
    const mark = this._marks.get(cell);
    if (mark) {
      const isOpen = !hidden.has(attempts[0]?.[0] ?? '');
      const toggle = (): void => {
        this._toggle(cell.model.id, isOpen);
      };
      mark.fold = attempts.length > 0 ? { count: attempts.length, isOpen, toggle } : null;
    }
  }

  private _toggle(id: string, isOpen: boolean): void {
    if (isOpen) {
      this._open.delete(id);
      this._panel.content.activeCellIndex = this._panel.content.widgets.findIndex(
        cell => cell.model.id === id
      );
    } else {
      this._open.add(id);
    }
    this._schedule();
  }

  private readonly _panel: NotebookPanel;
  private readonly _approval: IApproval;
  private readonly _facts = new WeakMap<Cell, IFoldable>();
  private readonly _watched = new WeakSet<Cell>();
  private readonly _marks = new WeakMap<Cell, StepMark>();
  private readonly _open = new Set<string>();
  private _hidden: ReadonlySet<string> = new Set();
  private _isScheduled = false;
  private _isDisposed = false;
}
