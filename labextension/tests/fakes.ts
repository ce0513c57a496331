/** A kernel, a comm, a session and a connection that do what they are told, at the ports of src/tokens.ts. */
import type { JSONObject, JSONValue } from '@lumino/coreutils';
import { Signal } from '@lumino/signaling';

import type { Edit, IEditMessage, IEventMessage } from '../src/protocol';
import { Problem } from '../src/requests';
import type {
  ConnectionState,
  ICommPort,
  IConnectionPort,
  IKernelPort,
  ISessionPort
} from '../src/tokens';

export class FakeComm implements ICommPort {
  opened: JSONObject | null = null;
  readonly sent: JSONObject[] = [];
  disposed = false;
  closed = false;

  get isDisposed(): boolean {
    return this.disposed;
  }

  onClose(message: unknown): void | PromiseLike<void> {
    throw new Error(`nobody listens to ${JSON.stringify(message)}`);
  }

  onMsg(message: { content: { data: JSONValue } }): void | PromiseLike<void> {
    throw new Error(`nobody listens to ${JSON.stringify(message)}`);
  }

  open(data?: JSONObject): void {
    this.opened = data ?? null;
  }

  send(data: JSONObject): void {
    this.sent.push(data);
  }

  close(): void {
    if (this.disposed) {
      throw new Error('Cannot close');
    }
    this.closed = true;
    void this.onClose({});
    this.dispose();
  }

  dispose(): void {
    this.disposed = true;
  }

  /** Let the kernel close it. */
  end(): void {
    void this.onClose({});
    this.dispose();
  }

  /** Let the kernel say this; gives back what the listener returned. */
  say(data: JSONValue): void | PromiseLike<void> {
    return this.onMsg({ content: { data } });
  }
}

export class FakeKernel implements IKernelPort {
  readonly comms: FakeComm[] = [];
  isDisposed = false;

  constructor(
    readonly name: string,
    public info: Promise<unknown> = Promise.resolve()
  ) {}

  createComm(target: string): FakeComm {
    if (target !== 'codeact') {
      throw new Error(`a comm to ${target}`);
    }
    const comm = new FakeComm();
    this.comms.push(comm);
    return comm;
  }

  /** The comm opened last. */
  get comm(): FakeComm {
    const comm = this.comms.at(-1);
    if (!comm) {
      throw new Error('no comm was opened');
    }
    return comm;
  }
}

export class FakeSession implements ISessionPort {
  readonly ready = Promise.resolve();
  readonly kernelChanged: Signal<ISessionPort, unknown> = new Signal<ISessionPort, unknown>(this);
  readonly statusChanged: Signal<ISessionPort, string> = new Signal<ISessionPort, string>(this);
  session: { kernel: FakeKernel | null } | null;

  constructor(kernel: FakeKernel | null) {
    this.session = { kernel };
  }

  /** Change the kernel as a user does in the kernel menu. */
  change(kernel: FakeKernel | null): void {
    this.session = { kernel };
    this.kernelChanged.emit(null);
  }
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

  tell(event: IEventMessage['event'], age = 0): void {
    this.received.emit({ kind: 'event', seq: ++this._seq, age, event });
  }

  say(...edits: Edit[]): void {
    for (const edit of edits) {
      this.received.emit({ kind: 'edit', seq: ++this._seq, edit });
    }
  }

  /** Drop the next message, as a server does that is flooded. */
  lose(): void {
    this._seq++;
  }

  become(state: ConnectionState): void {
    this.state = state;
    this.stateChanged.emit(state);
  }

  private _seq = 0;
}

/** Let everything that waits for a resolved promise go on. */
export async function settle(): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, 0));
}
