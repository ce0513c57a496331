/**
 * Section Observations: for each step, exactly the text the model was shown; the newest can be changed.
 *
 * Rule: to the letter; nothing is shortened, and nothing of it is markup. What the model has been asked about
 * stays as it is: the kernel refuses another text, and here there is no button for it.
 */
import * as React from 'react';

import { Button, Empty, StatusMark, Trouble } from '../pieces';
import { openObservation } from '../run';
import type { IRun, IStep } from '../run';
import { troubleIn } from '../state';
import type { IPanelState } from '../state';
import { number, outcomeOfCode } from '../words';
import { DraftView } from './draft';
import type { IDraftActions } from './draft';

export interface IObservationsActions extends IDraftActions {
  /** Let the run stand still before the model is asked. */
  hold(): void;
  /** Let it go on. */
  release(): void;
  /** Begin to change what the model is shown of a step. */
  draft(step: number): void;
}

interface IProps {
  state: IPanelState;
  actions: IObservationsActions;
}

export function ObservationsView({ state, actions }: IProps): React.ReactElement {
  const { run, draft } = state;
  const steps = run?.steps.filter(step => step.observation !== null) ?? [];
  if (!run || !steps.length) {
    return <Empty text="Nothing was shown to the model yet: a step has to run first." />;
  }
  const open = openObservation(run);
  const drafted = draft?.run === run.id && draft.step === open ? draft : null;
  return (
    <div className="codeact-Observations">
      <Standing run={run} actions={actions} />
      <Trouble sentence={troubleIn(state, 'observations')} />
      {steps.map((step, at) => (
        <Shown key={step.number} step={step} newest={at === steps.length - 1}>
          {drafted?.step === step.number ? (
            <DraftView
              draft={drafted}
              before={step.observation ?? ''}
              held={run.held !== null}
              actions={actions}
            />
          ) : (
            <Text step={step} offer={mayChange(run, step, open)} change={actions.draft} />
          )}
        </Shown>
      ))}
    </div>
  );
}

/** Whether a change of this observation can be offered: it is open, or would be if the run were held now. */
function mayChange(run: IRun, step: IStep, open: number): boolean {
  if (run.outcome !== null || run.held !== null) {
    return open === step.number;
  }
  const next = run.steps.find(each => each.number === step.number + 1);
  return next?.repairs === 0 && (next.status === 'thinking' || next.status === 'writing');
}

/** Whether the run goes on, is held, or is over, and what that means for what is below. */
function Standing(props: { run: IRun; actions: IObservationsActions }): React.ReactElement {
  const { run, actions } = props;
  if (run.outcome !== null) {
    return (
      <p className="codeact-Note">
        What the model was shown after each step, to the letter. The last one can still be changed:
        the model sees it when you continue the run.
      </p>
    );
  }
  const held = run.held !== null;
  return (
    <div className="codeact-Standing">
      <span className="codeact-Note" role="status">
        {held
          ? 'Held: the model is asked when you let the run go on.'
          : 'What the model is shown after each step, to the letter.'}
      </span>
      {held ? (
        <Button label="Go on" title="Ask the model now" onClick={actions.release} />
      ) : (
        <Button
          label="Hold"
          title="Let the run stand still before the model is asked. A question that is under way is taken back"
          onClick={actions.hold}
        />
      )}
    </div>
  );
}

function Shown(props: {
  step: IStep;
  newest: boolean;
  children: React.ReactNode;
}): React.ReactElement {
  const { step } = props;
  const length = `${number(step.observation?.length ?? 0)} characters`;
  return (
    <details className="codeact-Details" open={props.newest}>
      <summary>
        <StatusMark status={step.status} />
        <span>{`Step ${String(step.number)} · ${outcomeOfCode(step.outcome)}`}</span>
        <span className="codeact-Facts">
          {step.original === null ? length : `${length} · edited by you`}
        </span>
      </summary>
      {props.children}
      {step.original !== null && (
        <details className="codeact-Details codeact-Original">
          <summary>As it was before you changed it</summary>
          <pre className="codeact-Text" tabIndex={0}>
            {step.original}
          </pre>
        </details>
      )}
    </details>
  );
}

function Text(props: {
  step: IStep;
  offer: boolean;
  change: (step: number) => void;
}): React.ReactElement {
  const { step } = props;
  return (
    <>
      <pre className="codeact-Text" tabIndex={0}>
        {step.observation}
      </pre>
      {props.offer && (
        <Button
          label="Edit…"
          title="Change what the model is shown of this step. A run that goes on is held for it"
          onClick={() => {
            props.change(step.number);
          }}
        />
      )}
    </>
  );
}
