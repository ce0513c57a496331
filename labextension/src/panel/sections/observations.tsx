/**
 * Section Observations: for each step, exactly the text the model was shown.
 *
 * Rule: to the letter; nothing is shortened, and nothing of it is markup.
 */
import * as React from 'react';

import { Empty, StatusMark } from '../pieces';
import type { IStep } from '../run';
import type { IPanelState } from '../state';
import { number, outcomeOfCode } from '../words';

export function ObservationsView({ state }: { state: IPanelState }): React.ReactElement {
  const steps = state.run?.steps.filter(step => step.observation !== null) ?? [];
  if (!steps.length) {
    return <Empty text="Nothing was shown to the model yet: a step has to run first." />;
  }
  return (
    <div className="codeact-Observations">
      <p className="codeact-Note">
        What the model was shown after each step, to the letter. It cannot be changed afterwards,
        because the model has answered it; to correct the agent, add words when you continue.
      </p>
      {steps.map((step, at) => (
        <Shown key={step.number} step={step} open={at === steps.length - 1} />
      ))}
    </div>
  );
}

function Shown({ step, open }: { step: IStep; open: boolean }): React.ReactElement {
  const text = step.observation ?? '';
  return (
    <details className="codeact-Details" open={open}>
      <summary>
        <StatusMark status={step.status} />
        <span>{`Step ${String(step.number)} · ${outcomeOfCode(step.outcome)}`}</span>
        <span className="codeact-Facts">{`${number(text.length)} characters`}</span>
      </summary>
      <pre className="codeact-Text" tabIndex={0}>
        {text}
      </pre>
    </details>
  );
}
