/**
 * Section Run: the task, where it is, what it cost, its steps; stop it, go on with it.
 *
 * Rule: a function of the state; what a click does is in `actions`.
 */
import * as React from 'react';

import { Button, Elapsed, Empty, Meter, StatusMark, Trouble } from '../pieces';
import { spent } from '../run';
import type { IRun, IStep } from '../run';
import { troubleIn } from '../state';
import type { IPanelState } from '../state';
import {
  duration,
  firstLine,
  money,
  number,
  plural,
  runWord,
  statusWord,
  ticking,
  tokens,
  unmarked
} from '../words';

export interface IRunActions {
  stop(): void;
  /** Let a run that is held go on. */
  release(): void;
  goOn(steps: number): void;
  ask(): void;
  reveal(cell: string): void;
}

interface IProps {
  state: IPanelState;
  /** Somebody sees it: clocks run. */
  live: boolean;
  actions: IRunActions;
}

export function RunView({ state, live, actions }: IProps): React.ReactElement {
  const run = state.run;
  if (!run) {
    return (
      <Empty text="The agent has not been asked yet in this session. Write %%agent above a task, or:">
        <Button label="Ask the agent…" kind="main" onClick={actions.ask} />
      </Empty>
    );
  }
  return (
    <div className="codeact-Run">
      <Task run={run} reveal={actions.reveal} />
      <Progress run={run} live={live} actions={actions} />
      <Trouble sentence={troubleIn(state, 'run')} />
      <Costs run={run} />
      <Timeline run={run} live={live} reveal={actions.reveal} />
      <Notices notices={run.notices} />
      <End run={run} goOn={actions.goOn} />
    </div>
  );
}

function Task(props: { run: IRun; reveal: (cell: string) => void }): React.ReactElement {
  const { run } = props;
  return (
    <div className="codeact-Task">
      <p className="codeact-Task-words">{run.task}</p>
      {run.added.map((words, at) => (
        <p key={at} className="codeact-Task-words codeact-Task-added">
          {words}
        </p>
      ))}
      <p className="codeact-Facts">
        {run.model}
        {run.approve !== 'never' && ` · approve: ${run.approve}`}
        {run.cell && (
          <>
            {' · '}
            <button
              type="button"
              className="codeact-Link"
              onClick={() => {
                props.reveal(run.cell);
              }}
            >
              go to cell
            </button>
          </>
        )}
      </p>
    </div>
  );
}

function Progress({
  run,
  live,
  actions
}: { run: IRun } & Omit<IProps, 'state'>): React.ReactElement {
  const goes = run.outcome === null;
  return (
    <div className="codeact-Progress" data-outcome={run.outcome ?? 'goes'}>
      <span className="codeact-Progress-words" role="status">
        {runWord(run)}
      </span>
      <span className="codeact-Facts">
        {goes ? (
          <Elapsed began={run.began} until={run.stands} live={live} words={ticking} />
        ) : (
          duration(run.seconds)
        )}
      </span>
      {run.held !== null && (
        <Button label="Go on" title="Ask the model now" kind="main" onClick={actions.release} />
      )}
      {goes && <Button label="Stop" kind="danger" onClick={actions.stop} />}
    </div>
  );
}

function Costs({ run }: { run: IRun }): React.ReactElement | null {
  const usage = spent(run);
  const { steps, budget } = run.limits;
  const taken = run.steps.length - run.before;
  return (
    <div className="codeact-Costs">
      {steps !== null && (
        <Meter
          label="Steps"
          used={taken}
          limit={steps}
          words={`${number(taken)} of ${number(steps)}`}
        />
      )}
      {budget !== null && usage.cost !== null && (
        <Meter
          label="Budget"
          used={usage.cost}
          limit={budget}
          words={`${money(usage.cost)} of ${money(budget)}`}
        />
      )}
      {usage.input + usage.output > 0 && (
        <p className="codeact-Facts">
          {`${usage.estimated ? 'about ' : ''}${number(usage.input)} tokens in` +
            (usage.cached ? ` (${number(usage.cached)} cached)` : '') +
            ` · ${number(usage.output)} out` +
            (usage.cost === null ? '' : ` · ${money(usage.cost)}`)}
        </p>
      )}
    </div>
  );
}

function Timeline(props: {
  run: IRun;
  live: boolean;
  reveal: (cell: string) => void;
}): React.ReactElement | null {
  const { steps, outcome } = props.run;
  const follows = props.live && outcome === null;
  const last = React.useRef<HTMLLIElement>(null);
  React.useEffect(() => {
    if (follows) {
      last.current?.scrollIntoView({ block: 'nearest' }); // the step that goes on stays in sight
    }
  }, [follows, steps.length]);
  if (!steps.length) {
    return null;
  }
  return (
    <ol className="codeact-Timeline" aria-label="Steps">
      {steps.map((step, at) => (
        <li key={step.number} ref={at === steps.length - 1 ? last : null}>
          <StepRow
            step={step}
            live={props.live}
            reveal={() => {
              props.reveal(step.cell);
            }}
          />
        </li>
      ))}
    </ol>
  );
}

/** What the user should know of the run: a price that is not known, a state that cannot be kept. */
function Notices(props: { notices: readonly string[] }): React.ReactElement | null {
  return props.notices.length ? (
    <ul className="codeact-Notes" aria-label="Notices">
      {props.notices.map((sentence, at) => (
        <li key={at}>{sentence}</li>
      ))}
    </ul>
  ) : null;
}

function StepRow(props: { step: IStep; live: boolean; reveal: () => void }): React.ReactElement {
  const { step } = props;
  return (
    <button
      type="button"
      className="codeact-Step"
      data-status={step.status}
      data-stale={step.stale}
      title="Go to the cell of this step"
      onClick={props.reveal}
    >
      <StatusMark status={step.status} />
      <span className="codeact-Step-words">
        <span className="codeact-Step-head">
          <span>
            {step.number} · {statusWord(step)}
          </span>
          <span className="codeact-Facts">
            {step.status === 'running' ? (
              <Elapsed began={step.began} live={props.live} words={ticking} />
            ) : (
              step.seconds !== null && duration(step.seconds)
            )}
          </span>
        </span>
        <span className="codeact-Step-thought">
          {step.waits || unmarked(firstLine(step.thought)) || firstLine(step.code)}
        </span>
        <span className="codeact-Facts">{facts(step).join(' · ')}</span>
      </span>
    </button>
  );
}

function facts(step: IStep): string[] {
  const made = step.names.made.length + step.names.changed.length;
  return [
    step.stale ? 'taken back' : '',
    step.usage.input + step.usage.output ? tokens(step.usage) : '',
    made ? plural(made, 'variable') : '',
    step.edited ? 'edited by you' : '',
    step.repairs ? `${plural(step.repairs, 'unreadable reply', 'unreadable replies')} before` : ''
  ].filter(Boolean);
}

function End(props: { run: IRun; goOn: (steps: number) => void }): React.ReactElement | null {
  const { run } = props;
  const [steps, setSteps] = React.useState(run.limits.steps ?? 10);
  if (run.outcome === null) {
    return null;
  }
  return (
    <div className="codeact-End">
      {run.outcome === 'answer' ? (
        <p className="codeact-End-answer">{unmarked(run.answer ?? '')}</p>
      ) : (
        <p className="codeact-End-reason">{run.reason}</p>
      )}
      <div className="codeact-Row">
        <Button
          label="Continue"
          kind={run.outcome === 'answer' ? 'plain' : 'main'}
          title="Insert a cell that goes on with this run, and run it"
          onClick={() => {
            props.goOn(steps);
          }}
        />
        <label className="codeact-Row">
          for at most
          <input
            className="codeact-Input"
            type="number"
            min={1}
            max={10000}
            value={steps}
            onChange={event => {
              setSteps(Math.min(10000, Math.max(1, Math.round(Number(event.target.value)))));
            }}
          />
          steps
        </label>
      </div>
    </div>
  );
}
