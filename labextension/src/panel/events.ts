/**
 * The events of a run as the panel needs them, read from what the kernel sends.
 *
 * Rule: the fields are those of codeact_kernel/trace/events.py; an event the panel does not draw is null,
 * one that is not as it should be throws a ProtocolError.
 */
import type { JSONObject } from '@lumino/coreutils';

import {
  count,
  counts,
  limit,
  member,
  objects,
  optionalText,
  seconds,
  text,
  texts
} from '../fields';
import type { IStep } from './run';
import { NOTHING, sum } from './usage';
import type { IUsage } from './usage';

type Observed = Pick<IStep, 'outcome' | 'observation' | 'original' | 'seconds' | 'names'>;

/** What an event about one step begins with. */
interface IOfStep {
  run: string;
  number: number;
}

export type RunEvent =
  | {
      type: 'RunStarted';
      id: string;
      task: string;
      model: string;
      cell: string;
      limits: { steps: number | null; budget: number | null };
      approve: string;
    }
  | ({ type: 'StepStarted'; cell: string } & IOfStep)
  | ({ type: 'ReplyGrew'; thought: string; code: string } & IOfStep)
  | ({ type: 'ReplyArrived'; usage: IUsage; problem: string } & IOfStep)
  | ({ type: 'Waited'; sentence: string } & IOfStep)
  | ({ type: 'Held'; observation: number } & IOfStep)
  | ({ type: 'Released' } & IOfStep)
  | ({ type: 'ObservationEdited'; text: string } & IOfStep)
  | ({ type: 'CodeProposed'; cell: string; thought: string; code: string } & IOfStep)
  | ({ type: 'CodeStarted'; cell: string; code: string } & IOfStep)
  | ({ type: 'Observed'; observed: Observed } & IOfStep)
  | { type: 'StepFinished'; run: string; step: IStep }
  | { type: 'Rewound'; run: string; taken: number; kept: number[] }
  | { type: 'Noticed'; run: string; sentence: string }
  | {
      type: 'RunFinished';
      run: string;
      outcome: string;
      answer: string | null;
      reason: string;
      seconds: number;
    };

/** What the panel needs of an event; null: nothing. Throws ProtocolError. */
export function readEvent(event: JSONObject & { type: string }): RunEvent | null {
  const { type } = event;
  switch (type) {
    case 'RunStarted':
      return started(event);
    case 'StepStarted':
      return { type, ...ofStep(event), cell: text(event, 'cell') };
    case 'ReplyGrew':
      return { type, ...ofStep(event), ...proposal(event) };
    case 'ReplyArrived':
      return {
        type,
        ...ofStep(event),
        usage: usage(member(event, 'reply')),
        problem: text(event, 'problem')
      };
    case 'Waited':
      return { type, ...ofStep(event), sentence: text(event, 'sentence') };
    case 'Held':
      return { type, ...ofStep(event), observation: count(event, 'observation') };
    case 'Released':
      return { type, ...ofStep(event) };
    case 'ObservationEdited':
      return { type, ...ofStep(event), text: text(event, 'text') };
    case 'CodeProposed':
      return { type, ...ofStep(event), cell: text(event, 'cell'), ...proposal(event) };
    case 'CodeStarted':
      return { type, ...ofStep(event), cell: text(event, 'cell'), code: text(event, 'code') };
    case 'Observed':
      return { type, ...ofStep(event), observed: observed(member(event, 'observation')) };
    case 'StepFinished':
      return { type, run: text(event, 'run'), step: finished(member(event, 'step')) };
    case 'Rewound':
      return { type, run: text(event, 'run'), ...rewind(member(event, 'rewind')) };
    case 'Noticed':
      return { type, run: text(event, 'run'), sentence: text(event, 'sentence') };
    case 'RunFinished':
      return {
        type,
        run: text(event, 'run'),
        outcome: text(event, 'outcome'),
        answer: optionalText(event, 'answer'),
        reason: text(event, 'reason'),
        seconds: seconds(event, 'seconds')
      };
    default:
      return null;
  }
}

function ofStep(event: JSONObject): IOfStep {
  return { run: text(event, 'run'), number: count(event, 'number') };
}

function started(event: JSONObject): RunEvent {
  const settings = member(event, 'settings');
  return {
    type: 'RunStarted',
    id: text(event, 'id'),
    task: text(event, 'task'),
    model: text(event, 'model'),
    cell: text(event, 'cell'),
    limits: {
      steps: settings.steps === undefined ? null : limit(settings, 'steps'),
      budget: settings.budget === undefined ? null : limit(settings, 'budget')
    },
    approve: typeof settings.approve === 'string' ? settings.approve : 'never'
  };
}

function rewind(data: JSONObject): { taken: number; kept: number[] } {
  return { taken: count(data, 'taken'), kept: counts(data, 'kept') };
}

function proposal(event: JSONObject): { thought: string; code: string } {
  return { thought: text(event, 'thought'), code: text(event, 'code') };
}

function usage(reply: JSONObject): IUsage {
  const given = member(reply, 'usage');
  return {
    input: count(given, 'input_tokens'),
    output: count(given, 'output_tokens'),
    cached: count(given, 'cached_tokens'),
    cost: limit(given, 'cost'),
    estimated: given.estimated === true
  };
}

function observed(observation: JSONObject): Observed {
  const delta = member(observation, 'variables');
  return {
    outcome: text(observation, 'status'),
    observation: text(observation, 'text'),
    original: optionalText(observation, 'original'),
    seconds: seconds(observation, 'seconds'),
    names: {
      made: Object.keys(member(delta, 'new')),
      changed: Object.keys(member(delta, 'changed')),
      deleted: texts(delta, 'deleted')
    }
  };
}

/** A step that is over. One without code is an answer in prose, or was left when a limit was met. */
function finished(step: JSONObject): IStep {
  const replies = objects(step, 'replies').map(usage);
  const seen = step.observation === null ? null : observed(member(step, 'observation'));
  return {
    number: count(step, 'number'),
    cell: text(step, 'cell'),
    status: statusOf(step, seen?.outcome ?? ''),
    thought: text(step, 'thought'),
    code: optionalText(step, 'code') ?? '',
    waits: '',
    began: 0,
    seconds: seen?.seconds ?? null,
    usage: replies.reduce(sum, NOTHING),
    outcome: seen?.outcome ?? '',
    observation: seen?.observation ?? null,
    original: seen?.original ?? null,
    edited: step.proposed !== null,
    stale: false,
    repairs: Math.max(0, replies.length - 1),
    names: seen?.names ?? { made: [], changed: [], deleted: [] }
  };
}

function statusOf(step: JSONObject, outcome: string): IStep['status'] {
  if (step.answer !== null) {
    return 'answered';
  }
  if (outcome === '') {
    return 'left';
  }
  return outcome === 'ok' ? 'done' : 'failed';
}
