/**
 * Section Rewind: the states of the notebook that one can go to, as the tree they are.
 *
 * Rule: what cannot be restored is shown with the state, before one goes there.
 */
import * as React from 'react';

import type { ICheckpoint } from '../answers';
import { Button, Empty, Outdated, Trouble, Unknown } from '../pieces';
import { troubleIn } from '../state';
import type { IPanelState } from '../state';
import { bytes } from '../words';

export interface IRewindActions {
  rewind(to: ICheckpoint): void;
  redo(): void;
  name(): void;
}

interface IProps {
  state: IPanelState;
  actions: IRewindActions;
}

export function RewindView({ state, actions }: IProps): React.ReactElement {
  const { value, loading, problem } = state.checkpoints;
  if (!value) {
    return <Unknown problem={problem} loading={loading} />;
  }
  if (value.unavailable) {
    return <Empty text={value.unavailable} />;
  }
  return (
    <div className="codeact-Rewind" aria-busy={loading}>
      <Trouble sentence={troubleIn(state, 'rewind')} />
      <Outdated problem={problem} />
      <div className="codeact-Row">
        <Button label="Keep this state…" onClick={actions.name} />
        {value.redo > 0 && (
          <Button label="Redo" title="Take the last rewind back" onClick={actions.redo} />
        )}
      </div>
      {!value.checkpoints.length && (
        <Empty text="No state is kept yet. One is kept before each step of the agent." />
      )}
      <ul className="codeact-States" aria-label="States of the notebook">
        {tree(value.checkpoints).map(({ checkpoint, depth }) => (
          <li key={checkpoint.number} style={{ marginLeft: `${String(12 * depth)}px` }}>
            <State checkpoint={checkpoint} rewind={actions.rewind} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function State(props: {
  checkpoint: ICheckpoint;
  rewind: (to: ICheckpoint) => void;
}): React.ReactElement {
  const { checkpoint } = props;
  return (
    <div className="codeact-State" data-kept={checkpoint.kept} data-here={checkpoint.here}>
      <div className="codeact-Change-head">
        <span className="codeact-Change-path">
          {`${String(checkpoint.number)} · ${checkpoint.title}`}
        </span>
        {checkpoint.kept && (
          <Button
            label="Go back"
            title={`Take the notebook to ${checkpoint.title}. What is now is kept, too`}
            onClick={() => {
              props.rewind(checkpoint);
            }}
          />
        )}
      </div>
      <span className="codeact-Facts">{facts(checkpoint).join(' · ')}</span>
      {checkpoint.kept && checkpoint.not_restored.length > 0 && (
        <ul className="codeact-Notes">
          {checkpoint.not_restored.map(sentence => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      )}
    </div>
  );
}

function facts(checkpoint: ICheckpoint): string[] {
  const { changed } = checkpoint;
  const names = changed.slice(0, 3).join(', ') + (changed.length > 3 ? ', …' : '');
  return [
    checkpoint.here ? 'the notebook came from here' : '',
    names ? `since the one before: ${names}` : '',
    checkpoint.kept ? (checkpoint.size ? bytes(checkpoint.size) : '') : checkpoint.why_gone
  ].filter(Boolean);
}

/** Each state below the one it came from; only where there is a choice does it go further to the right. */
export function tree(
  checkpoints: readonly ICheckpoint[]
): { checkpoint: ICheckpoint; depth: number }[] {
  const known = new Set(checkpoints.map(each => each.number));
  const below = (parent: number): ICheckpoint[] =>
    checkpoints.filter(each => (known.has(each.parent) ? each.parent : 0) === parent);
  const rows: { checkpoint: ICheckpoint; depth: number }[] = [];
  const stack = below(0)
    .reverse()
    .map(checkpoint => ({ checkpoint, depth: 0 }));
  for (let row = stack.pop(); row && rows.length < checkpoints.length; row = stack.pop()) {
    rows.push(row);
    const next = below(row.checkpoint.number);
    const depth = row.depth + (next.length > 1 ? 1 : 0);
    stack.push(...next.reverse().map(checkpoint => ({ checkpoint, depth })));
  }
  return rows;
}
