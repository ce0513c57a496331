/**
 * The nouns of a run, and what each event makes of it.
 *
 * Rule: pure. `fold` is the only maker of a Run; it mirrors `fold` in codeact_kernel/trace/events.py as far
 * as the panel shows it. An event of another run, or of a type it does not know, changes nothing.
 */
import type { RunEvent } from './events';
import { NOTHING, sum } from './usage';
import type { IUsage } from './usage';

/** Where a step is. `failed`: its code ended with an error, a limit or was not run. */
export type StepStatus =
  'thinking' | 'held' | 'writing' | 'waiting' | 'running' | 'done' | 'failed' | 'answered' | 'left';

export interface IStep {
  number: number;
  /** The id of its code cell, which need not exist. */
  cell: string;
  status: StepStatus;
  thought: string;
  code: string;
  /** What it waits for, as a sentence; "" when it does not. */
  waits: string;
  /** Milliseconds since the epoch. */
  began: number;
  /** Of the code, once it ran. */
  seconds: number | null;
  usage: IUsage;
  /** How its code ended: a Status of trace/values.py; "" before that. */
  outcome: string;
  /** Exactly what the model was shown; null before that. */
  observation: string | null;
  /** What it would have been shown, when the user changed that. */
  original: string | null;
  /** The model's code was changed by the user before it ran. */
  edited: boolean;
  /** The notebook was taken back to before it. */
  stale: boolean;
  /** Unreadable replies before the one that counted. */
  repairs: number;
  names: { made: string[]; changed: string[]; deleted: string[] };
}

export interface IRun {
  id: string;
  task: string;
  added: string[];
  model: string;
  /** The id of the agent cell, "" when the client does not name cells. */
  cell: string;
  limits: { steps: number | null; budget: number | null };
  approve: string;
  /** When it began, in milliseconds since the epoch, later by the time its clock stood still. */
  began: number;
  /** Since when its clock stands still, because the user is asked; null: it goes. */
  stands: number | null;
  /** While the user holds it: the step whose observation can be changed, 0 for none. */
  held: number | null;
  steps: IStep[];
  /** Steps that were over when it was continued last: limits count anew. */
  before: number;
  /** null: it goes on. */
  outcome: string | null;
  answer: string | null;
  reason: string;
  seconds: number;
  notices: string[];
}

/** The run after one more event, which happened at `at` (milliseconds since the epoch). */
export function fold(run: IRun | null, event: RunEvent, at: number): IRun | null {
  if (event.type === 'RunStarted') {
    return run?.id === event.id ? continued(run, event.task, event.limits, at) : started(event, at);
  }
  if (run?.id !== event.run) {
    return run;
  }
  switch (event.type) {
    case 'StepStarted':
      return withStep(run, fresh(event.number, event.cell, at));
    case 'ReplyGrew':
      return change(run, event.number, step => ({
        ...step,
        status: 'writing',
        waits: '',
        thought: event.thought,
        code: event.code
      }));
    case 'ReplyArrived':
      return change(run, event.number, step => ({
        ...step,
        usage: sum(step.usage, event.usage),
        repairs: step.repairs + (event.problem ? 1 : 0)
      }));
    case 'Waited':
      return change(run, event.number, step => ({ ...step, waits: event.sentence }));
    case 'Held':
      return change(
        { ...run, held: event.observation, stands: at },
        event.number,
        // what the model had written is thrown away
        step => ({ ...step, status: 'held', waits: '', thought: '', code: '' })
      );
    case 'Released':
      return change({ ...moving(run, at), held: null }, event.number, step => ({
        ...step,
        status: 'thinking'
      }));
    case 'ObservationEdited':
      return change(run, event.number, step => withObservation(step, event.text));
    case 'CodeProposed':
      return change({ ...run, stands: at }, event.number, step => ({
        ...step,
        cell: event.cell,
        status: 'waiting',
        waits: '',
        thought: event.thought,
        code: event.code
      }));
    case 'CodeStarted':
      return change(moving(run, at), event.number, step => ({
        ...step,
        cell: event.cell,
        status: 'running',
        waits: '',
        edited: step.code !== event.code,
        code: event.code
      }));
    case 'Observed':
      return change(moving(run, at), event.number, step => ({
        ...step,
        ...event.observed,
        waits: '',
        status: event.observed.outcome === 'ok' ? 'done' : 'failed'
      }));
    case 'StepFinished':
      return withStep(run, {
        ...event.step,
        began: run.steps.find(step => step.number === event.step.number)?.began ?? at
      });
    case 'Rewound':
      return {
        ...run,
        steps: run.steps.map(step => ({
          ...step,
          stale: step.number <= event.taken && !event.kept.includes(step.number)
        }))
      };
    case 'Noticed':
      return { ...run, notices: [...run.notices, event.sentence] };
    case 'RunFinished':
      return {
        ...run,
        steps: run.steps.map(step =>
          isOver(step) ? step : { ...step, status: 'left', waits: '' }
        ),
        held: null,
        stands: null,
        outcome: event.outcome,
        answer: event.answer,
        reason: event.reason,
        seconds: event.seconds
      };
  }
}

/** All tokens and money of a run so far. */
export function spent(run: IRun): IUsage {
  return run.steps.map(step => step.usage).reduce(sum, NOTHING);
}

/** The step whose observation can be changed now, 0 for none: the model has not been asked about it. */
export function openObservation(run: IRun): number {
  if (run.outcome === null) {
    return run.held ?? 0;
  }
  const last = run.steps.filter(step => !step.stale).at(-1);
  return last?.observation === null ? 0 : (last?.number ?? 0);
}

/** The step of the run that touched a variable last; null: none did. */
export function lastChange(run: IRun | null, name: string): IStep | null {
  const touches = (step: IStep): boolean =>
    step.names.made.includes(name) || step.names.changed.includes(name);
  return run?.steps.filter(touches).at(-1) ?? null;
}

export function isOver(step: IStep): boolean {
  return ['done', 'failed', 'answered', 'left'].includes(step.status);
}

function started(event: Extract<RunEvent, { type: 'RunStarted' }>, at: number): IRun {
  return {
    id: event.id,
    task: event.task,
    added: [],
    model: event.model,
    cell: event.cell,
    limits: event.limits,
    approve: event.approve,
    began: at,
    stands: null,
    held: null,
    steps: [],
    before: 0,
    outcome: null,
    answer: null,
    reason: '',
    seconds: 0,
    notices: []
  };
}

function continued(run: IRun, words: string, limits: IRun['limits'], at: number): IRun {
  return {
    ...run,
    limits,
    added: words ? [...run.added, words] : run.added,
    began: at,
    before: run.steps.length,
    outcome: null,
    answer: null,
    reason: ''
  };
}

function fresh(number: number, cell: string, at: number): IStep {
  return {
    number,
    cell,
    status: 'thinking',
    thought: '',
    code: '',
    waits: '',
    began: at,
    seconds: null,
    usage: NOTHING,
    outcome: '',
    observation: null,
    original: null,
    edited: false,
    stale: false,
    repairs: 0,
    names: { made: [], changed: [], deleted: [] }
  };
}

/** The run when its clock goes again. */
function moving(run: IRun, at: number): IRun {
  return run.stands === null ? run : { ...run, began: run.began + at - run.stands, stands: null };
}

/** Changed back to what it was, it is as if it never had been changed. */
function withObservation(step: IStep, observation: string): IStep {
  const first = step.original ?? step.observation;
  return { ...step, observation, original: observation === first ? null : first };
}

function withStep(run: IRun, step: IStep): IRun {
  const others = run.steps.filter(other => other.number !== step.number);
  return { ...run, steps: [...others, step].sort((a, b) => a.number - b.number) };
}

function change(run: IRun, number: number, make: (step: IStep) => IStep): IRun {
  return {
    ...run,
    steps: run.steps.map(step => (step.number === number ? make(step) : step))
  };
}
