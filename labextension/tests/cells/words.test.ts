/** Claims about the words of marks and about what lies folded under what. */
import { describe, expect, it } from 'vitest';

import { folds } from '../../src/cells/folds';
import type { IFoldable } from '../../src/cells/folds';
import { runOf, stepOf } from '../../src/cells/metadata';
import { describeStep } from '../../src/cells/words';

const RECORD = {
  role: 'step',
  run: 'r1',
  step: 3,
  status: 'ok',
  model: 'anthropic/claude',
  usage: { input_tokens: 1200, output_tokens: 34 },
  seconds: 2.14,
  edited: false,
  ran: 'ab'
};

function words(fields: object, changed = false, isLive = true) {
  const step = stepOf({ ...RECORD, ...fields });
  if (!step) {
    throw new Error('no step');
  }
  return describeStep(step, changed, isLive);
}

describe('describeStep', () => {
  it('says who wrote it, how long it took and what it cost', () => {
    expect(words({})).toEqual({
      label: 'Step 3',
      facts: 'claude · 2.1 s · 1,234 tokens',
      state: '',
      mood: 'plain',
      spoken: 'Step 3 of the agent, claude, 2.1 s, 1,234 tokens.'
    });
  });

  it.each([
    [{ status: 'error' }, false, 'failed'],
    [{ status: 'waiting' }, false, 'waits for your approval'],
    [{ edited: true }, false, 'edited before it ran'],
    [{}, true, 'changed since it ran'],
    [{ status: 'error', stale: true }, false, 'failed, stale']
  ])('says of %j (changed: %s) that it is %s', (fields, changed, state) => {
    expect(words(fields, changed).state).toBe(state);
    expect(words(fields, changed).spoken).toContain(state.split(',')[0]);
  });

  it('takes a step of a session that is gone as left, not as going on', () => {
    for (const status of ['writing', 'waiting', 'running']) {
      expect(words({ status }, false, false)).toMatchObject({
        state: 'not finished',
        mood: 'plain'
      });
    }
    expect(words({ status: 'error' }, false, false).state).toBe('failed');
  });

  it.each([
    [0.01, '<0.1 s'],
    [12.4, '12 s'],
    [125, '2 min 5 s']
  ])('says %d seconds as %s', (seconds, text) => {
    expect(words({ seconds }).facts).toContain(text);
  });
});

describe('stepOf', () => {
  it.each([
    undefined,
    null,
    'x',
    [],
    {},
    { role: 'step' },
    { role: 'step', run: 'r', step: '1' },
    { role: 'agent', run: { id: 'r' } }
  ])('finds no step in %j', metadata => {
    expect(stepOf(metadata)).toBeNull();
  });

  it('takes what is not as it should be as not there', () => {
    const odd = { ...RECORD, status: 7, model: {}, usage: 'x', seconds: -1, concerns: [1, 'a'] };
    expect(stepOf(odd)).toMatchObject({
      status: '',
      model: '',
      tokens: null,
      seconds: null,
      concerns: ['a']
    });
  });

  it('knows the run of an agent cell and of a step', () => {
    expect(runOf({ run: { id: 'r1' } })).toBe('r1');
    expect(runOf(RECORD)).toBe('r1');
    expect(runOf({ run: 1 })).toBeNull();
  });
});

describe('folds', () => {
  const cell = (id: string, role: string, status = '', run: string | null = 'r'): IFoldable => ({
    id,
    run,
    role,
    status
  });

  it('puts failed attempts, thoughts included, under the step that repaired them', () => {
    const found = folds([
      cell('agent', 'agent'),
      cell('t1', 'thought'),
      cell('s1', 'step', 'error'),
      cell('mine', '', '', null),
      cell('s2', 'step', 'not_run'),
      cell('t3', 'thought'),
      cell('s3', 'step', 'ok'),
      cell('s4', 'step', 'ok')
    ]);
    expect([...found]).toEqual([['s3', [['t1', 's1'], ['s2']]]]);
  });

  it('leaves in sight what nothing repaired', () => {
    expect(folds([cell('s1', 'step', 'error')]).size).toBe(0);
    expect(folds([cell('s1', 'step', 'error'), cell('s2', 'step', 'interrupted')]).size).toBe(0);
    expect(folds([cell('s1', 'step', 'error'), cell('x', 'step', 'ok', 'other')]).size).toBe(0);
  });
});
