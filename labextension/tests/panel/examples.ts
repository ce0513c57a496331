/** Events of a run as the kernel sends them. */
import type { JSONObject } from '@lumino/coreutils';

import { readEvent } from '../../src/panel/events';
import { fold } from '../../src/panel/run';
import type { IRun } from '../../src/panel/run';

type Fields = JSONObject & { type: string };

const USAGE = {
  input_tokens: 100,
  output_tokens: 10,
  cached_tokens: 60,
  cost: 0.01,
  estimated: false
};
export const REPLY = { text: 'code', model: 'm', prompt: 'p', usage: USAGE, seconds: 1 };
const NAMES = { new: { df: { type: 'DataFrame' } }, changed: { n: { type: 'int' } }, deleted: [] };

export const STARTED: Fields = {
  type: 'RunStarted',
  id: 'r',
  task: 'Count.',
  model: 'openai/m',
  cell: 'agent',
  settings: { steps: 8, budget: 1, approve: 'ask' }
};

export function observation(status = 'ok'): JSONObject {
  return {
    status,
    text: 'stdout:\n1',
    outputs: [],
    images: [],
    variables: NAMES,
    seconds: 1.5,
    count: 2
  };
}

/** Everything that is told of a step until its code runs. */
export function begun(number: number): Fields[] {
  const step = { run: 'r', number };
  const cell = `c${String(number)}`;
  return [
    { type: 'StepStarted', ...step, cell },
    { type: 'ReplyGrew', ...step, thought: 'I count', code: 'len(' },
    { type: 'ReplyArrived', ...step, reply: REPLY, problem: '' },
    { type: 'CodeProposed', ...step, cell, thought: 'I count.', code: 'len(x)' },
    { type: 'CodeStarted', ...step, cell, code: 'len(x)' }
  ];
}

/** A step that is over, as a late page is told of it. */
export function finished(number: number, given: JSONObject = {}): Fields {
  const step = {
    number,
    cell: `c${String(number)}`,
    replies: [REPLY],
    thought: 'I count.',
    code: 'len(x)',
    proposed: null,
    observation: observation(),
    answer: null,
    ...given
  };
  return { type: 'StepFinished', run: 'r', step };
}

export function ended(outcome: string, given: JSONObject = {}): Fields {
  return { type: 'RunFinished', run: 'r', outcome, answer: null, reason: '', seconds: 3, ...given };
}

/** The run these events make, one second apart. */
export function runOf(...events: Fields[]): IRun {
  const run = events.reduce<IRun | null>((before, fields, at) => {
    const event = readEvent(fields);
    return event ? fold(before, event, 1000 * at) : before;
  }, null);
  if (!run) {
    throw new Error('no run began');
  }
  return run;
}
