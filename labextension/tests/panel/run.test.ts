/** Claims about what events make of a run. */
import { readFileSync } from 'node:fs';

import type { JSONObject } from '@lumino/coreutils';
import { describe, expect, it } from 'vitest';

import { ProtocolError } from '../../src/fields';
import { readEvent } from '../../src/panel/events';
import { lastChange, openObservation, spent } from '../../src/panel/run';
import { duration, runWord, statusWord, unmarked } from '../../src/panel/words';
import { begun, ended, finished, observation, REPLY, runOf, STARTED } from './examples';

describe('fold', () => {
  it('takes task, model and limits from the start', () => {
    const run = runOf(STARTED);
    expect(run).toMatchObject({ task: 'Count.', model: 'openai/m', cell: 'agent', outcome: null });
    expect(run.limits).toEqual({ steps: 8, budget: 1 });
    expect(runWord(run)).toBe('Starting');
  });

  it.each([
    [1, 'thinking', 'Step 1: waiting for the model'],
    [2, 'writing', 'Step 1: the model is writing'],
    [4, 'waiting', 'Step 1: waits for your approval'],
    [5, 'running', 'Step 1: code is running']
  ])('follows a step: after %i events it is %s', (count, status, words) => {
    const run = runOf(STARTED, ...begun(1).slice(0, count));
    expect(run.steps[0]?.status).toBe(status);
    expect(runWord(run)).toBe(words);
  });

  it('does not speak of an approval that nobody is asked for', () => {
    const alone = { ...STARTED, settings: { steps: 8, approve: 'never' } };
    expect(runWord(runOf(alone, ...begun(1).slice(0, 4)))).toBe('Step 1: about to run');
  });

  it('has what the model was shown when the code has ended, well or not', () => {
    const seen = { type: 'Observed', run: 'r', number: 1 };
    const good = runOf(STARTED, ...begun(1), { ...seen, observation: observation() });
    expect(good.steps[0]).toMatchObject({
      status: 'done',
      observation: 'stdout:\n1',
      seconds: 1.5
    });
    const bad = runOf(STARTED, ...begun(1), { ...seen, observation: observation('timeout') });
    expect(bad.steps.map(statusWord)).toEqual(['time limit']);
  });

  it('draws the same from a finished step as from all its events', () => {
    const all = runOf(
      STARTED,
      ...begun(1),
      { type: 'Observed', run: 'r', number: 1, observation: observation() },
      finished(1)
    );
    const late = runOf(STARTED, finished(1));
    expect({ ...all.steps[0], began: 0 }).toEqual({ ...late.steps[0], began: 0 });
  });

  it('stands still while it is held, and its clock with it', () => {
    const held = { type: 'Held', run: 'r', number: 2, observation: 1 };
    const before = [STARTED, finished(1), ...begun(2).slice(0, 2), held];
    const run = runOf(...before);
    expect(runWord(run)).toBe('Step 2: held by you');
    expect(run).toMatchObject({ held: 1, stands: 4000, began: 0 });
    expect(run.steps[1]).toMatchObject({ status: 'held', code: '' });
    expect(openObservation(run)).toBe(1);
    const later = runOf(...before, { type: 'Released', run: 'r', number: 2 });
    expect(later).toMatchObject({ held: null, stands: null, began: 1000 });
    expect(later.steps[1]?.status).toBe('thinking');
    expect(openObservation(later)).toBe(0);
    expect(runOf(...before, ended('stopped'))).toMatchObject({ held: null, stands: null });
  });

  it('has what an observation was before it was changed, until it is changed back', () => {
    const edit = { type: 'ObservationEdited', run: 'r', number: 1 };
    const once = runOf(STARTED, finished(1), { ...edit, text: 'a' }, { ...edit, text: 'b' });
    expect(once.steps[0]).toMatchObject({ observation: 'b', original: 'stdout:\n1' });
    const back = runOf(
      STARTED,
      finished(1),
      { ...edit, text: 'a' },
      { ...edit, text: 'stdout:\n1' }
    );
    expect(back.steps[0]).toMatchObject({ observation: 'stdout:\n1', original: null });
    const seen = { ...observation(), text: 'a', original: 'b' };
    expect(runOf(STARTED, finished(1, { observation: seen })).steps[0]?.original).toBe('b');
  });

  it('reads the examples of the contract', () => {
    for (const name of ['event', 'event_held', 'event_observation_edited']) {
      const path = new URL(`../../../tests/contract/${name}.json`, import.meta.url);
      const { event }: { event: JSONObject & { type: string } } = JSON.parse(
        readFileSync(path, 'utf8')
      );
      expect(readEvent(event)).toEqual(event);
    }
  });

  it('adds up tokens and money, of unreadable replies too', () => {
    const run = runOf(STARTED, finished(1, { replies: [REPLY, REPLY] }), ...begun(2).slice(0, 2), {
      type: 'ReplyArrived',
      run: 'r',
      number: 2,
      reply: REPLY,
      problem: 'No code.'
    });
    expect(run.steps.map(step => step.repairs)).toEqual([1, 1]);
    expect(spent(run)).toMatchObject({ input: 300, output: 30, cached: 180 });
    expect(spent(run).cost).toBeCloseTo(0.03);
  });

  it('says which step touched a variable last', () => {
    const run = runOf(STARTED, finished(1), finished(2));
    expect(lastChange(run, 'n')?.number).toBe(2);
    expect(lastChange(run, 'other')).toBeNull();
  });

  it('marks steps that were taken back, until the notebook goes forward again', () => {
    const rewound = (kept: number[]) => ({ type: 'Rewound', run: 'r', rewind: { taken: 2, kept } });
    const events = [STARTED, finished(1), finished(2), ended('answer'), rewound([1])];
    expect(runOf(...events).steps.map(step => step.stale)).toEqual([false, true]);
    expect(runOf(...events, rewound([1, 2])).steps.map(step => step.stale)).toEqual([false, false]);
  });

  it('marks code that the user changed', () => {
    expect(runOf(STARTED, finished(1, { proposed: 'x' })).steps[0]?.edited).toBe(true);
  });

  it('ends, and counts steps anew when it is continued', () => {
    const stopped = runOf(STARTED, finished(1), ...begun(2).slice(0, 2), ended('stopped'));
    expect(runWord(stopped)).toBe('Stopped');
    expect(stopped.steps[1]?.status).toBe('left');
    const again = runOf(STARTED, finished(1), ended('step_limit'), { ...STARTED, task: 'More.' });
    expect(again).toMatchObject({ outcome: null, before: 1, added: ['More.'], task: 'Count.' });
    expect(runWord(again)).toBe('Between steps');
  });

  it('begins anew with another run, and leaves events of others alone', () => {
    expect(runOf(STARTED, finished(1), { ...STARTED, id: 'r2' }).steps).toEqual([]);
    const foreign = { ...finished(1), run: 'r9' };
    expect(runOf(STARTED, foreign).steps).toEqual([]);
  });
});

describe('readEvent', () => {
  it('passes over what the panel does not draw, and refuses what is not as it should be', () => {
    expect(readEvent({ type: 'NetworkUsed', run: 'r', request: {} })).toBeNull();
    expect(() => readEvent({ ...STARTED, task: 1 })).toThrow(ProtocolError);
    expect(() => readEvent(finished(-1))).toThrow(ProtocolError);
  });
});

describe('duration', () => {
  it.each([
    [0.04, '<0.1 s'],
    [9.94, '9.9 s'],
    [59.4, '59 s'],
    [60, '1 min'],
    [125, '2 min 5 s'],
    [3780, '1 h 3 min']
  ])('says %d seconds as %s', (seconds, words) => {
    expect(duration(seconds)).toBe(words);
  });
});

describe('unmarked', () => {
  it.each([
    ['The sum is **1810**.', 'The sum is 1810.'],
    ['See `table`, **both** of `a**b`.', 'See table, both of a**b.'],
    ['2**3 and 3**2', '2**3 and 3**2'],
    ['__name__ and a*b*c', '__name__ and a*b*c'],
    ['** not strong **', '** not strong **'],
    ['```python', '```python']
  ])('takes the marks from %j and leaves what is none', (text, words) => {
    expect(unmarked(text)).toBe(words);
  });
});
