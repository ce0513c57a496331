/**
 * The nouns: what a connection can be, and the little it needs of JupyterLab.
 *
 * Rule: only types. JupyterLab's own objects fit the ports below as they are, and so do the fakes of the tests.
 */
import type { JSONObject, JSONValue } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';

import type { IEditMessage, IEventMessage } from './protocol';

/** The kernel spec this extension serves. */
export const KERNEL = 'codeact';

/** There is no kernel, or it is somebody else's: this extension keeps out of it. */
export interface IForeign {
  status: 'foreign';
  kernel: string;
}

/** The comm is open, or about to be; the kernel has not answered yet. */
export interface IConnecting {
  status: 'connecting';
}

/** The kernel said hello. */
export interface IConnected {
  status: 'connected';
  version: string;
  grade: string;
  /** Displays are shown as they are, script included. */
  trusted: boolean;
  notes: string[];
}

/** The kernel speaks, but not our protocol. `reason` is a sentence for the user. */
export interface IFailed {
  status: 'failed';
  reason: string;
}

export type ConnectionState = IForeign | IConnecting | IConnected | IFailed;

/** What a notebook's connection to its kernel is to those who draw what it says, as Connection is. */
export interface IConnectionPort {
  readonly state: ConnectionState;
  readonly stateChanged: ISignal<IConnectionPort, ConnectionState>;
  /** Emitted for each event and edit, in order. */
  readonly received: ISignal<IConnectionPort, IEventMessage | IEditMessage>;
  /** Emitted when what follows tells everything from the beginning. */
  readonly opened: ISignal<IConnectionPort, void>;
  /** Ask the kernel; the data of its reply. Rejects with a Problem. */
  request(verb: string, fields?: JSONObject): Promise<JSONObject>;
}

/** One comm, as Kernel.IComm is. */
export interface ICommPort {
  onMsg(message: { content: { data: JSONValue } }): void | PromiseLike<void>;
  onClose(message: unknown): void | PromiseLike<void>;
  readonly isDisposed: boolean;
  open(data?: JSONObject): unknown;
  send(data: JSONObject): unknown;
  close(): unknown;
  dispose(): void;
}

/** One kernel, as Kernel.IKernelConnection is. */
export interface IKernelPort {
  readonly name: string;
  readonly isDisposed: boolean;
  readonly info: Promise<unknown>;
  createComm(target: string): ICommPort;
}

/** The kernel of one notebook, as ISessionContext is. */
export interface ISessionPort {
  readonly ready: Promise<void>;
  readonly session: { readonly kernel: IKernelPort | null } | null;
  readonly kernelChanged: ISignal<ISessionPort, unknown>;
  readonly statusChanged: ISignal<ISessionPort, string>;
}
