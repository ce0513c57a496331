/** A kernel, a comm and a session that do what they are told, at the ports of src/tokens.ts. */
import type { JSONObject, JSONValue } from '@lumino/coreutils';
import { Signal } from '@lumino/signaling';

import type { ICommPort, IKernelPort, ISessionPort } from '../src/tokens';

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

/** Let everything that waits for a resolved promise go on. */
export async function settle(): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, 0));
}
