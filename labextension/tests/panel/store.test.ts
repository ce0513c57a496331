/** Claims about the owner of the panel's state: it asks only for what somebody looks at. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import type { JSONObject } from '@lumino/coreutils';
import { describe, expect, it } from 'vitest';

import * as answers from '../../src/panel/answers';
import { Store } from '../../src/panel/store';
import { CONNECTED, FakeConnection, settle } from '../fakes';
import { begun, ended, finished, STARTED } from './examples';

const FOLDER = fileURLToPath(new URL('../../../tests/contract/', import.meta.url));

function example(verb: string): JSONObject {
  const { data }: { data: JSONObject } = JSON.parse(
    readFileSync(`${FOLDER}reply_${verb}.json`, 'utf8')
  );
  return data;
}

const VARIABLES = example('variables');

describe('Store', () => {
  it('asks for nothing by itself', async () => {
    const connection = new FakeConnection();
    const store = new Store(connection);
    connection.tell(STARTED);
    connection.tell(finished(1));
    store.stale();
    await settle();
    expect(connection.asked).toEqual([]);
    expect(store.state.run?.steps).toHaveLength(1);
  });

  it('asks for what is looked at, and again when code has ended', async () => {
    const connection = new FakeConnection({ variables: VARIABLES });
    const store = new Store(connection);
    store.watch('variables');
    await settle();
    expect(store.state.variables.value?.map(each => each.name)).toEqual(['frame']);
    connection.tell(STARTED);
    connection.tell(finished(1));
    await settle();
    store.unwatch('variables');
    connection.tell(ended('answer'));
    await settle();
    expect(connection.asked).toEqual([{ do: 'variables' }, { do: 'variables' }]);
  });

  it('holds a run for a change, and lets it go on when that is left', async () => {
    const connection = new FakeConnection();
    const store = new Store(connection);
    [STARTED, finished(1), ...begun(2).slice(0, 2)].forEach(event => {
      connection.tell(event);
    });
    store.draft(1);
    expect(store.state.draft).toEqual({ run: 'r', step: 1, text: 'stdout:\n1', holds: true });
    connection.tell({ type: 'Held', run: 'r', number: 2, observation: 1 });
    store.write('other');
    store.leave();
    await settle();
    expect(store.state.draft).toBeNull();
    expect(connection.asked).toEqual([{ do: 'hold' }, { do: 'go_on' }]);
  });

  it('sends what was typed, and keeps it when it is refused', async () => {
    const connection = new FakeConnection({ edit_observation: 'Too late.' });
    const store = new Store(connection);
    [STARTED, finished(1), ended('stopped')].forEach(event => {
      connection.tell(event);
    });
    store.draft(1);
    store.write('other');
    await store.save();
    expect(connection.asked).toEqual([
      { do: 'edit_observation', run: 'r', step: 1, text: 'other' }
    ]);
    expect(store.state.draft?.text).toBe('other');
    expect(store.state.trouble).toEqual({ section: 'observations', sentence: 'Too late.' });
  });

  it('gives a change up when the model has answered meanwhile, and says so', async () => {
    const connection = new FakeConnection();
    const store = new Store(connection);
    [STARTED, finished(1), ...begun(2).slice(0, 2)].forEach(event => {
      connection.tell(event);
    });
    store.draft(1);
    connection.tell(finished(2));
    connection.tell({ type: 'Held', run: 'r', number: 3, observation: 2 });
    await settle();
    expect(store.state.draft).toBeNull();
    expect(store.state.trouble?.sentence).toContain('had answered this already');
  });

  it('asks once more, not many times, for what became stale while it waited', async () => {
    const connection = new FakeConnection({ variables: VARIABLES });
    const store = new Store(connection);
    store.watch('variables');
    store.stale();
    store.stale();
    await settle();
    expect(connection.asked).toHaveLength(2);
  });

  it('keeps what it knew when the kernel cannot answer now', async () => {
    const connection = new FakeConnection({ variables: VARIABLES });
    const store = new Store(connection);
    store.watch('variables');
    await settle();
    connection.answers.variables = 'Code is running.';
    store.refresh('variables');
    await settle();
    expect(store.state.variables.problem).toBe('Code is running.');
    expect(store.state.variables.value).toHaveLength(1);
  });

  it('forgets everything with the kernel, and asks the new one', async () => {
    const connection = new FakeConnection({ variables: VARIABLES });
    const store = new Store(connection);
    store.watch('variables');
    connection.tell(STARTED);
    await settle();
    connection.become({ status: 'connecting' });
    connection.opened.emit();
    expect(store.state.run).toBeNull();
    expect(store.state.variables.value).toBeNull();
    store.refresh('variables');
    connection.become(CONNECTED);
    await settle();
    expect(connection.asked).toHaveLength(2);
  });

  it('says in its section what could not be done, until something else is done there', async () => {
    const connection = new FakeConnection({ stop: 'Nothing runs.' });
    const store = new Store(connection);
    expect(await store.stop()).toBe(false);
    expect(store.state.trouble).toEqual({ section: 'run', sentence: 'Nothing runs.' });
    connection.answers.stop = {};
    expect(await store.stop()).toBe(true);
    expect(store.state.trouble).toBeNull();
  });

  it('changes one variable and shows its new value', async () => {
    const changed = { ...example('set_variable'), name: 'frame' };
    const connection = new FakeConnection({ variables: VARIABLES, set_variable: changed });
    const store = new Store(connection);
    store.watch('variables');
    await settle();
    await store.setVariable('frame', 'int', '7');
    expect(connection.asked.at(-1)).toEqual({
      do: 'set_variable',
      name: 'frame',
      type_name: 'int',
      text: '7'
    });
    expect(store.state.variables.value?.[0]?.preview).toBe('7');
  });

  it('looks inside, and only the variable looked at last is shown', async () => {
    const connection = new FakeConnection({ look: example('look') });
    const store = new Store(connection);
    const first = store.look('a');
    await Promise.all([first, store.look('b', 50, 20)]);
    expect(store.state.look).toMatchObject({ name: 'b', page: { height: 2 } });
    store.closeLook();
    expect(store.state.look).toBeNull();
  });

  it('says which files were refused and why', async () => {
    const connection = new FakeConnection({ keep: example('keep') });
    const store = new Store(connection);
    await store.decide('keep', ['report.md', '.envrc']);
    expect(connection.asked).toContainEqual({
      do: 'keep',
      paths: ['report.md', '.envrc'],
      force: false
    });
    expect(store.state.trouble?.sentence).toContain('.envrc: its name is protected');
  });

  it('says that the versions differ when an answer cannot be read', async () => {
    const store = new Store(new FakeConnection({ files: { changes: 1 } }));
    store.watch('files');
    await settle();
    expect(store.state.files.problem).toContain('different versions');
  });
});

describe('answers', () => {
  const readers: Record<string, (data: JSONObject) => unknown> = {
    variables: answers.variables,
    look: answers.page,
    set_variable: answers.variable,
    files: answers.files,
    keep: answers.decided,
    sandbox: answers.sandbox,
    checkpoints: answers.checkpoints,
    settings: answers.configured,
    tools: answers.tools
  };

  it.each(Object.keys(readers))('reads the example of the contract for %s', verb => {
    expect(readers[verb]?.(example(verb))).toBeTruthy();
  });

  it('knows every example there is', () => {
    const known = new Set([...Object.keys(readers), 'problem', 'override']);
    const names = readdirSync(FOLDER).flatMap(name => /^reply_(.*)\.json$/.exec(name)?.[1] ?? []);
    expect(names.filter(name => !known.has(name))).toEqual([]);
  });
});
