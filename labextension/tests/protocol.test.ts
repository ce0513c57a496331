/** Claims about docs/panel.md as TypeScript: the contract's examples are read, anything else is refused. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import type { JSONValue } from '@lumino/coreutils';
import { describe, expect, it } from 'vitest';

import { ProtocolError } from '../src/fields';
import { parse } from '../src/protocol';

const FOLDER = fileURLToPath(new URL('../../tests/contract/', import.meta.url));
const FROM_KERNEL = readdirSync(FOLDER).filter(name =>
  /^(hello|event|edit|reply).*\.json$/.test(name)
);

function example(name: string): JSONValue {
  const data: JSONValue = JSON.parse(readFileSync(FOLDER + name, 'utf8'));
  return data;
}

describe('parse', () => {
  it('finds the examples of the contract', () => {
    expect(FROM_KERNEL).toContain('hello.json');
  });

  it.each(FROM_KERNEL)('reads %s without losing anything', name => {
    expect(parse(example(name))).toEqual(example(name));
  });

  it.each<[string, JSONValue, string]>([
    ['no object', 'hello', 'message is not an object'],
    ['a list', [], 'message is not an object'],
    ['null', null, 'message is not an object'],
    ['no kind', {}, 'kind is not a string'],
    ['an unknown kind', { kind: 'run' }, 'kind is "run", which is not a message'],
    [
      'a hello without grade',
      { kind: 'hello', protocol: 1, version: '0' },
      'grade is not a string'
    ],
    ['a half seq', { kind: 'event', seq: 0.5, event: { type: 'X' } }, 'seq is not a count'],
    ['a negative seq', { kind: 'event', seq: -1, event: { type: 'X' } }, 'seq is not a count'],
    ['an event without type', { kind: 'event', seq: 0, age: 0, event: {} }, 'type is not a string'],
    [
      'an event of the future',
      { kind: 'event', seq: 0, age: -1, event: { type: 'X' } },
      'age is not a number of seconds'
    ],
    ['a reply without data', { kind: 'reply', id: 1, problem: '' }, 'data is not an object'],
    ['an edit that is text', { kind: 'edit', seq: 0, edit: 'insert' }, 'edit is not an object'],
    [
      'an unknown op',
      { kind: 'edit', seq: 0, edit: { op: 'erase' } },
      'op is "erase", which is not an edit'
    ],
    [
      'outputs that are no list',
      { kind: 'edit', seq: 0, edit: { op: 'outputs', cell: 'a', outputs: {}, count: null } },
      'outputs is not a list'
    ],
    [
      'an output that is text',
      { kind: 'edit', seq: 0, edit: { op: 'outputs', cell: 'a', outputs: ['x'], count: null } },
      'outputs[0] is not an object'
    ],
    [
      'a raw cell',
      { kind: 'edit', seq: 0, edit: { op: 'insert', cell: 'a', after: '', cell_type: 'raw' } },
      'cell_type is "raw", not code or markdown'
    ]
  ])('refuses %s and names the field', (_, data, sentence) => {
    expect(() => parse(data)).toThrow(new ProtocolError(sentence));
  });
});
