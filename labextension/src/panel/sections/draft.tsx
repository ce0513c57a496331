/**
 * An observation while it is changed: its text, save, leave.
 *
 * Rule: the store has the text, so that another tab or section in front loses nothing that was typed.
 */
import * as React from 'react';

import { Button } from '../pieces';
import type { IDraft } from '../state';

export interface IDraftActions {
  write(text: string): void;
  /** Show the model this text. */
  save(): void;
  /** Leave it as it was. */
  leave(): void;
}

const MOST_LINES = 24;

/** `before` is the text as it is without the change; `held`: saving lets the run go on. */
export function DraftView(props: {
  draft: IDraft;
  before: string;
  held: boolean;
  actions: IDraftActions;
}): React.ReactElement {
  const { draft, before, actions } = props;
  const lines = draft.text.split('\n').length;
  return (
    <>
      <textarea
        className="codeact-Text codeact-Draft"
        aria-label={`What the model is shown of step ${String(draft.step)}`}
        autoFocus
        spellCheck={false}
        rows={Math.min(MOST_LINES, Math.max(6, lines + 1))}
        value={draft.text}
        onChange={event => {
          actions.write(event.target.value);
        }}
        onKeyDown={event => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
            actions.save();
          } else if (event.key === 'Escape' && draft.text === before) {
            actions.leave(); // what was typed is only given up with the button
          } else {
            return;
          }
          event.preventDefault();
          event.stopPropagation();
        }}
      />
      <div className="codeact-Row">
        <Button
          label={props.held ? 'Save and go on' : 'Save'}
          kind="main"
          title="Show the model this text (Ctrl Enter)"
          disabled={!draft.text.trim()}
          onClick={actions.save}
        />
        <Button
          label="Cancel"
          title={draft.holds ? 'Leave it as it was, and let the run go on' : 'Leave it as it was'}
          onClick={actions.leave}
        />
      </div>
    </>
  );
}
