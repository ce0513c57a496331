/**
 * The one owner of a notebook's comm to its kernel.
 *
 * Rule: no other file opens, closes or listens to a comm. A restart keeps the same kernel connection and
 * says nothing of the comms that died with it, so the comm is dropped when a restart begins and opened
 * anew when the kernel answers again. A kernel that lives is told when a comm is not needed any more.
 */
import type { IDisposable } from '@lumino/disposable';
import type { JSONObject, JSONValue } from '@lumino/coreutils';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import { ProtocolError } from './fields';
import { parse, PROTOCOL, TARGET } from './protocol';
import type { IEditMessage, IEventMessage, IHello, IOpen } from './protocol';
import { Problem, Requests } from './requests';
import { KERNEL } from './tokens';
import type { ConnectionState, ICommPort, IKernelPort, ISessionPort } from './tokens';

const GOING = new Set(['restarting', 'autorestarting', 'terminating', 'dead']);
const CLOSED =
  'The kernel closed the connection to this tab, because too many tabs are connected to it. ' +
  'Close some of them, then close this notebook and open it again.';
const NO_ANSWER =
  'The kernel did not answer when it was asked what it is. Restart it; if that does not help, reload the page.';
const GONE = 'This notebook is not connected to a CodeAct kernel.';
const HERE = new Set(['idle', 'busy']);

export class Connection implements IDisposable {
  /**
   * `says` is what the kernel is told of this front end, asked when a comm is opened; no comm is opened before
   * `ready`, so that nothing is told to a notebook that is not loaded.
   */
  constructor(session: ISessionPort, says: () => IOpen, ready: Promise<unknown> = session.ready) {
    this._session = session;
    this._says = says;
    this._ready = ready;
    session.kernelChanged.connect(this._onKernelChanged, this);
    session.statusChanged.connect(this._onStatusChanged, this);
    void this._start();
  }

  /** What is known of the kernel now. */
  get state(): ConnectionState {
    return this._state;
  }

  /** Emitted after every change of `state`. */
  get stateChanged(): ISignal<this, ConnectionState> {
    return this._stateChanged;
  }

  /** Emitted for each event and edit the kernel tells, in order. */
  get received(): ISignal<this, IEventMessage | IEditMessage> {
    return this._received;
  }

  /** Emitted when a new comm is open: what follows tells everything from the beginning. */
  get opened(): ISignal<this, void> {
    return this._opened;
  }

  /** Ask the kernel; the data of its reply. Rejects with a Problem. */
  async request(verb: string, fields: JSONObject = {}): Promise<JSONObject> {
    const comm = this._comm;
    if (!comm || comm.isDisposed || this._state.status !== 'connected') {
      throw new Problem(GONE);
    }
    return this._requests.ask(verb, fields, request => {
      comm.send(request);
    });
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._leave();
    Signal.clearData(this);
  }

  private async _start(): Promise<void> {
    try {
      await this._ready;
      this._isReady = true;
    } catch {
      this._set({ status: 'failed', reason: NO_ANSWER });
      return;
    }
    await this._open();
  }

  private _onKernelChanged(): void {
    this._leave();
    void this._open();
  }

  private _onStatusChanged(_: ISessionPort, status: string): void {
    if (GOING.has(status)) {
      this._drop();
      this._set(this._kernel ? { status: 'connecting' } : foreign(this._session));
    } else if (HERE.has(status)) {
      void this._open();
    }
  }

  /** Open the comm if the kernel is ours and there is none. */
  private async _open(): Promise<void> {
    const kernel = this._kernel;
    if (!kernel) {
      this._set(foreign(this._session));
      return;
    }
    if (!this._wanted(kernel)) {
      return;
    }
    this._set({ status: 'connecting' });
    try {
      await kernel.info; // before it, a restart that is still going on drops what is sent
    } catch {
      if (this._wanted(kernel)) {
        this._set({ status: 'failed', reason: NO_ANSWER });
      }
      return;
    }
    if (!this._wanted(kernel)) {
      return; // another call was faster while this one waited
    }
    const comm = kernel.createComm(TARGET);
    // returns nothing: JupyterLab handles no further message until a returned promise resolves
    comm.onMsg = message => {
      this._receive(message.content.data);
    };
    comm.onClose = () => {
      this._requests.forget(CLOSED);
      this._set({ status: 'failed', reason: CLOSED }); // the comm is kept, so that no other is opened
    };
    this._comm = comm;
    this._commKernel = kernel;
    this._opened.emit();
    comm.open({ ...this._says() });
  }

  /** Whether a comm to this kernel is still to be opened. */
  private _wanted(kernel: IKernelPort): boolean {
    return this._isReady && !this._isDisposed && this._comm === null && kernel === this._kernel;
  }

  /** Tell the kernel that this tab does not listen any more. */
  private _leave(): void {
    if (this._comm && !this._comm.isDisposed && this._commKernel?.isDisposed === false) {
      this._comm.onClose = () => undefined;
      this._comm.close();
    }
    this._drop();
  }

  /** The kernel that had the comm is gone. */
  private _drop(): void {
    this._comm?.dispose();
    this._comm = this._commKernel = null;
    this._requests.forget(GONE);
  }

  private _receive(data: JSONValue): void {
    try {
      const message = parse(data);
      if (message.kind === 'hello') {
        this._set(greeted(message));
      } else if (message.kind === 'reply') {
        this._requests.settle(message);
      } else {
        this._received.emit(message);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) {
        throw error;
      }
      this._set({
        status: 'failed',
        reason: `The kernel sent what nobody can read: ${error.message}.`
      });
    }
  }

  private _set(state: ConnectionState): void {
    this._state = state;
    this._stateChanged.emit(state);
  }

  private get _kernel(): IKernelPort | null {
    const kernel = this._session.session?.kernel ?? null;
    return kernel?.name === KERNEL ? kernel : null;
  }

  private readonly _session: ISessionPort;
  private readonly _says: () => IOpen;
  private readonly _ready: Promise<unknown>;
  private readonly _stateChanged = new Signal<this, ConnectionState>(this);
  private readonly _received = new Signal<this, IEventMessage | IEditMessage>(this);
  private readonly _opened = new Signal<this, void>(this);
  private readonly _requests = new Requests();
  private _state: ConnectionState = { status: 'connecting' };
  private _comm: ICommPort | null = null;
  private _commKernel: IKernelPort | null = null;
  private _isReady = false;
  private _isDisposed = false;
}

function foreign(session: ISessionPort): ConnectionState {
  return { status: 'foreign', kernel: session.session?.kernel?.name ?? '' };
}

function greeted(hello: IHello): ConnectionState {
  if (hello.protocol !== PROTOCOL) {
    return {
      status: 'failed',
      reason:
        `codeact-kernel ${hello.version} speaks version ${String(hello.protocol)} of the panel protocol, ` +
        `this page version ${String(PROTOCOL)}. Reload the page; if that does not help, update codeact-kernel.`
    };
  }
  return {
    status: 'connected',
    version: hello.version,
    grade: hello.grade,
    trusted: hello.display === 'trusted',
    notes: hello.notes
  };
}
