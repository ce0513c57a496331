/** Claims about the one owner of the comm: when it opens, when it opens again, when it keeps out. */
import { describe, expect, it } from 'vitest';

import { Connection } from '../src/connection';
import { Problem } from '../src/requests';
import type { IOpen } from '../src/protocol';
import type { ConnectionState } from '../src/tokens';
import { FakeKernel, FakeSession, settle } from './fakes';

const HELLO = {
  kind: 'hello',
  protocol: 1,
  version: '0.1.0',
  grade: 'namespaces',
  display: 'cleaned',
  notes: []
};
const CONNECTED: ConnectionState = {
  status: 'connected',
  version: '0.1.0',
  grade: 'namespaces',
  trusted: false,
  notes: []
};

const OPEN: IOpen = {
  client: 'jupyterlab',
  cells: true,
  runs: true,
  collaborates: false,
  overrides: { steps: 8 }
};
const says = () => OPEN;

async function connect(name = 'codeact') {
  const kernel = new FakeKernel(name);
  const session = new FakeSession(kernel);
  const connection = new Connection(session, says);
  await settle();
  return { kernel, session, connection };
}

describe('Connection', () => {
  it('opens one comm to our kernel and says what it is', async () => {
    const { kernel } = await connect();
    expect(kernel.comms).toHaveLength(1);
    expect(kernel.comm.opened).toEqual(OPEN);
  });

  it('opens nothing to a kernel of somebody else', async () => {
    const { kernel, connection } = await connect('python3');
    expect(kernel.comms).toHaveLength(0);
    expect(connection.state).toEqual({ status: 'foreign', kernel: 'python3' });
  });

  it('says that there is no kernel when there is none', async () => {
    const connection = new Connection(new FakeSession(null), says);
    await settle();
    expect(connection.state).toEqual({ status: 'foreign', kernel: '' });
  });

  it('is connected when the kernel said hello, and tells whoever listens', async () => {
    const { kernel, connection } = await connect();
    const seen: ConnectionState[] = [];
    connection.stateChanged.connect((_, state) => {
      seen.push(state);
    });
    expect(connection.state).toEqual({ status: 'connecting' });
    await kernel.comm.say(HELLO);
    expect(seen).toEqual([CONNECTED]);
    expect(connection.state).toEqual(CONNECTED);
  });

  it('returns nothing from onMsg, because JupyterLab would wait for a promise', async () => {
    const { kernel } = await connect();
    expect(kernel.comm.say(HELLO)).toBeUndefined();
  });

  it('waits for the kernel to be up before it opens the comm', async () => {
    let up: (value: unknown) => void = () => undefined;
    const kernel = new FakeKernel('codeact', new Promise(resolve => (up = resolve)));
    new Connection(new FakeSession(kernel), says);
    await settle();
    expect(kernel.comms).toHaveLength(0);
    up(null);
    await settle();
    expect(kernel.comms).toHaveLength(1);
  });

  it.each(['restarting', 'autorestarting'])('opens a new comm after %s', async status => {
    const { kernel, session, connection } = await connect();
    await kernel.comm.say(HELLO);
    session.statusChanged.emit(status);
    expect(kernel.comm.disposed).toBe(true);
    expect(kernel.comm.closed).toBe(false); // there is nobody to be told
    expect(connection.state).toEqual({ status: 'connecting' });
    session.statusChanged.emit('idle');
    await settle();
    expect(kernel.comms).toHaveLength(2);
    await kernel.comm.say(HELLO);
    expect(connection.state).toEqual(CONNECTED);
  });

  it('opens one comm, however often the status changes', async () => {
    const { kernel, session } = await connect();
    session.statusChanged.emit('restarting');
    for (const status of ['starting', 'busy', 'idle', 'busy', 'idle']) {
      session.statusChanged.emit(status);
    }
    await settle();
    session.statusChanged.emit('idle');
    await settle();
    expect(kernel.comms).toHaveLength(2);
  });

  it('follows a change of kernel in both directions', async () => {
    const { kernel, session, connection } = await connect();
    session.change(new FakeKernel('python3'));
    await settle();
    expect(kernel.comm.disposed).toBe(true);
    expect(connection.state).toEqual({ status: 'foreign', kernel: 'python3' });
    const back = new FakeKernel('codeact');
    session.change(back);
    await settle();
    expect(back.comms).toHaveLength(1);
  });

  it('says what to do when the kernel speaks another version of the protocol', async () => {
    const { kernel, connection } = await connect();
    await kernel.comm.say({ ...HELLO, protocol: 2 });
    expect(connection.state.status).toBe('failed');
    expect(connection.state).toHaveProperty('reason', expect.stringContaining('Reload the page'));
  });

  it('says so when the kernel sends what cannot be read', async () => {
    const { kernel, connection } = await connect();
    await kernel.comm.say({ kind: 'hello', protocol: 1 });
    expect(connection.state).toEqual({
      status: 'failed',
      reason: 'The kernel sent what nobody can read: version is not a string.'
    });
  });

  it('opens nothing once it is disposed', async () => {
    const { kernel, session, connection } = await connect();
    connection.dispose();
    expect(kernel.comm.disposed).toBe(true);
    session.statusChanged.emit('idle');
    await settle();
    expect(kernel.comms).toHaveLength(1);
  });

  it('tells a kernel that lives when its tab is closed', async () => {
    const { kernel, connection } = await connect();
    connection.dispose();
    expect(kernel.comm.closed).toBe(true);
    expect(connection.state).toEqual({ status: 'connecting' });
  });

  it('says nothing to a kernel connection that is disposed', async () => {
    const { kernel, connection } = await connect();
    kernel.isDisposed = true;
    connection.dispose();
    expect(kernel.comm.closed).toBe(false);
    expect(kernel.comm.disposed).toBe(true);
  });

  it('says so when the kernel closes the comm, and does not open it again by itself', async () => {
    const { kernel, session, connection } = await connect();
    await kernel.comm.say(HELLO);
    kernel.comm.end();
    expect(connection.state).toHaveProperty('reason', expect.stringContaining('too many tabs'));
    session.statusChanged.emit('idle');
    await settle();
    expect(kernel.comms).toHaveLength(1);
    connection.dispose();
    expect(kernel.comm.closed).toBe(false);
  });

  it('says so when the kernel never says what it is', async () => {
    const kernel = new FakeKernel('codeact', Promise.reject(new Error('gone')));
    const connection = new Connection(new FakeSession(kernel), says);
    await settle();
    expect(connection.state).toHaveProperty('reason', expect.stringContaining('did not answer'));
    expect(kernel.comms).toHaveLength(0);
  });

  it('asks the kernel and gives back the data of the reply with the same id', async () => {
    const { kernel, connection } = await connect();
    await kernel.comm.say(HELLO);
    const first = connection.request('variables');
    const second = connection.request('look', { name: 'x' });
    expect(kernel.comm.sent).toEqual([
      { kind: 'request', id: 1, do: 'variables' },
      { kind: 'request', id: 2, do: 'look', name: 'x' }
    ]);
    await kernel.comm.say({ kind: 'reply', id: 2, problem: '', data: { n: 2 } });
    await kernel.comm.say({ kind: 'reply', id: 1, problem: '', data: { n: 1 } });
    await kernel.comm.say({ kind: 'reply', id: 7, problem: '', data: {} });
    expect(await first).toEqual({ n: 1 });
    expect(await second).toEqual({ n: 2 });
  });

  it('rejects with the sentence of the kernel, and when the kernel goes', async () => {
    const { kernel, session, connection } = await connect();
    await expect(connection.request('stop')).rejects.toThrow('not connected');
    await kernel.comm.say(HELLO);
    const refused = connection.request('stop');
    await kernel.comm.say({ kind: 'reply', id: 1, problem: 'Nothing runs.', data: {} });
    await expect(refused).rejects.toThrow(new Problem('Nothing runs.'));
    const lost = connection.request('stop');
    session.statusChanged.emit('restarting');
    await expect(lost).rejects.toThrow('not connected');
  });

  it('passes on events and edits in order, and says when they begin anew', async () => {
    const { kernel, session, connection } = await connect();
    const seen: unknown[] = [];
    connection.opened.connect(() => seen.push('opened'));
    connection.received.connect((_, message) => seen.push(message.seq));
    await kernel.comm.say(HELLO);
    await kernel.comm.say({ kind: 'event', seq: 1, age: 0, event: { type: 'Noticed' } });
    session.statusChanged.emit('restarting');
    session.statusChanged.emit('idle');
    await settle();
    expect(seen).toEqual([1, 'opened']);
  });
});
