/** Claims about the panel's words. */
import { describe as group, expect, it } from 'vitest';

import { describe } from '../src/describe';
import type { ConnectionState } from '../src/tokens';

group('describe', () => {
  it.each<[string, ConnectionState | null, string, string]>([
    ['no notebook', null, 'idle', 'Open a notebook'],
    ['no kernel', { status: 'foreign', kernel: '' }, 'idle', 'has no kernel'],
    ['another kernel', { status: 'foreign', kernel: 'ir' }, 'idle', 'uses the kernel “ir”'],
    ['a kernel that starts', { status: 'connecting' }, 'waiting', 'starting'],
    [
      'no isolation',
      { status: 'connected', version: '1', grade: 'none', trusted: false, notes: [] },
      'bad',
      'Isolation: none.'
    ],
    [
      'namespaces',
      { status: 'connected', version: '1', grade: 'namespaces', trusted: false, notes: [] },
      'good',
      'namespaces'
    ],
    [
      'a grade of tomorrow',
      { status: 'connected', version: '9', grade: 'moon', trusted: false, notes: [] },
      'good',
      'Isolation: moon.'
    ],
    [
      'trusted displays',
      { status: 'connected', version: '1', grade: 'namespaces', trusted: true, notes: [] },
      'bad',
      '%agent distrust display'
    ],
    [
      'a note',
      {
        status: 'connected',
        version: '1',
        grade: 'landlock',
        trusted: false,
        notes: ['Home is not shown.']
      },
      'good',
      'landlock. Home is not shown.'
    ],
    ['a failure', { status: 'failed', reason: 'No answer.' }, 'bad', 'No answer.']
  ])('says what %s means', (_, state, mood, words) => {
    const description = describe(state);
    expect(description.mood).toBe(mood);
    expect(description.text).toContain(words);
  });
});
