/** Events of a run as the kernel sends them, and a connection that a test plays. */
import type { JSONObject } from '@lumino/coreutils';
import { Signal } from '@lumino/signaling';

import { readEvent } from '../../src/panel/events';
import { fold } from '../../src/panel/run';
import type { IRun } from '../../src/panel/run';
import type { IConnectionPort } from '../../src/panel/store';
import type { IEditMessage, IEventMessage } from '../../src/protocol';
import { Problem } from '../../src/requests';
import type { ConnectionState } from '../../src/tokens';

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

export const CONNECTED: ConnectionState = {
  status: 'connected',
  version: '1',
  grade: 'namespaces',
  trusted: false,
  notes: []
};

/** Answers requests by verb from `answers`; a string is a problem. `asked` are the requests. */
export class FakeConnection implements IConnectionPort {
  state: ConnectionState = CONNECTED;
  readonly stateChanged: Signal<IConnectionPort, ConnectionState> = new Signal<
    IConnectionPort,
    ConnectionState
  >(this);
  readonly received: Signal<IConnectionPort, IEventMessage | IEditMessage> = new Signal<
    IConnectionPort,
    IEventMessage | IEditMessage
  >(this);
  readonly opened: Signal<IConnectionPort, void> = new Signal<IConnectionPort, void>(this);
  readonly asked: JSONObject[] = [];

  constructor(readonly answers: Record<string, JSONObject | string> = {}) {}

  request(verb: string, fields: JSONObject = {}): Promise<JSONObject> {
    this.asked.push({ do: verb, ...fields });
    const answer = this.answers[verb] ?? {};
    return typeof answer === 'string'
      ? Promise.reject(new Problem(answer))
      : Promise.resolve(answer);
  }

  tell(event: Fields, age = 0): void {
    this.received.emit({ kind: 'event', seq: 1, age, event });
  }

  become(state: ConnectionState): void {
    this.state = state;
    this.stateChanged.emit(state);
  }
}
