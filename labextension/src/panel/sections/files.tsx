/**
 * Section Files: what steps wrote and nobody has decided about, with diffs; keep it, discard it.
 *
 * Rule: names and lines come from the sandbox; the kernel has spelled out what would hide a part of them.
 */
import * as React from 'react';

import type { IChange } from '../answers';
import { Button, Empty, Outdated, Trouble, Unknown } from '../pieces';
import { troubleIn } from '../state';
import type { IPanelState } from '../state';
import { bytes, plural } from '../words';

export interface IFilesActions {
  keep(changes: IChange[]): void;
  discard(changes: IChange[]): void;
}

interface IProps {
  state: IPanelState;
  actions: IFilesActions;
}

const ACTS: Readonly<Record<string, string>> = {
  created: 'new',
  changed: 'changed',
  deleted: 'deleted',
  replaced: 'replaced'
};

export function FilesView({ state, actions }: IProps): React.ReactElement {
  const { value, loading, problem } = state.files;
  if (!value) {
    return <Unknown problem={problem} loading={loading} />;
  }
  const trouble = <Trouble sentence={troubleIn(state, 'files')} />;
  if (value.unavailable) {
    return <Empty text={value.unavailable} />;
  }
  if (!value.changes.length) {
    return (
      <>
        {trouble}
        <Empty text="Nothing is staged: the agent has changed no file that you have not decided about." />
      </>
    );
  }
  return (
    <div className="codeact-Files" aria-busy={loading}>
      {trouble}
      <Outdated problem={problem} />
      <div className="codeact-Row">
        <span className="codeact-Facts">
          {`${plural(value.changes.length, 'change')} of the agent, not in your folder yet`}
        </span>
        <Button
          label="Keep all"
          onClick={() => {
            actions.keep(value.changes);
          }}
        />
        <Button
          label="Discard all"
          onClick={() => {
            actions.discard(value.changes);
          }}
        />
      </div>
      {value.changes.map(change => (
        <Change key={change.path} change={change} actions={actions} />
      ))}
    </div>
  );
}

function Change({
  change,
  actions
}: {
  change: IChange;
  actions: IFilesActions;
}): React.ReactElement {
  return (
    <div className="codeact-Change" data-act={change.act}>
      <div className="codeact-Change-head">
        <span className="codeact-Change-path" title={change.shown}>
          {change.shown}
        </span>
        <Button
          label="Keep"
          title={
            change.protected
              ? `Put ${change.shown} in your folder. Its name is protected: it may run or be opened later by itself`
              : `Put ${change.shown} in your folder`
          }
          onClick={() => {
            actions.keep([change]);
          }}
        />
        <Button
          label="Discard"
          title={`Give the change of ${change.shown} up`}
          onClick={() => {
            actions.discard([change]);
          }}
        />
      </div>
      <span className="codeact-Facts">{facts(change).join(' · ')}</span>
      {change.diff.length > 0 && <Diff change={change} />}
    </div>
  );
}

function Diff({ change }: { change: IChange }): React.ReactElement {
  return (
    <details className="codeact-Details">
      <summary>{`Difference of ${change.shown}`}</summary>
      <pre className="codeact-Diff" tabIndex={0}>
        {change.diff.map((line, at) => (
          <span key={at} data-kind={kindOf(line)}>
            {`${line}\n`}
          </span>
        ))}
      </pre>
    </details>
  );
}

export function kindOf(line: string): 'added' | 'removed' | 'place' | 'same' {
  if (line.startsWith('@@')) {
    return 'place';
  }
  return line.startsWith('+') ? 'added' : line.startsWith('-') ? 'removed' : 'same';
}

function facts(change: IChange): string[] {
  const added = change.diff.filter(line => kindOf(line) === 'added').length;
  const removed = change.diff.filter(line => kindOf(line) === 'removed').length;
  return [
    ACTS[change.act] ?? change.act,
    change.kind === 'file' ? bytes(change.size) : change.kind === 'deleted' ? '' : change.kind,
    added || removed ? `+${String(added)} −${String(removed)}` : '',
    change.protected ? 'protected name' : ''
  ].filter(Boolean);
}
