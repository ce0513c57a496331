/**
 * The one owner of what the panel shows of a notebook.
 *
 * Rule: everything changes through `reduce`, and `changed` tells of it. The kernel is asked only for what
 * somebody looks at: a section says when it is seen and when it is not any more.
 */
import type { JSONObject } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import type { ISignal } from '@lumino/signaling';

import type { IEditMessage, IEventMessage } from '../protocol';
import type { ConnectionState, IConnectionPort } from '../tokens';
import * as answers from './answers';
import { readEvent } from './events';
import { answered, sentence } from './parts';
import type { Part } from './parts';
import { initial, reduce } from './state';
import type { Action, Answer, IPanelState } from './state';

const STALE: readonly Part[] = ['variables', 'files', 'checkpoints', 'tools'];

export class Store implements IDisposable {
  constructor(connection: IConnectionPort) {
    this._connection = connection;
    this._state = initial(connection.state);
    connection.stateChanged.connect(this._onState, this);
    connection.received.connect(this._onMessage, this);
    connection.opened.connect(this._onOpened, this);
  }

  get state(): IPanelState {
    return this._state;
  }

  /** Emitted after every change of `state`. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  /** Somebody looks at this part from now on: ask for it, and again whenever it may be another. */
  watch(part: Part): void {
    this._watched.add(part);
    this.refresh(part);
  }

  unwatch(part: Part): void {
    this._watched.delete(part);
  }

  /** Code has ended: what it may have changed is asked for again, if somebody looks. */
  stale(): void {
    STALE.filter(part => this._watched.has(part)).forEach(part => {
      this.refresh(part);
    });
    const look = this._state.look;
    if (look?.page && this._watched.has('variables')) {
      void this.look(look.name, look.page.row, look.page.column);
    }
  }

  /** Ask for a part. Not twice at once; what is asked meanwhile is asked when the answer is there. */
  refresh(part: Part): void {
    if (this._state.connection.status !== 'connected') {
      return;
    }
    if (this._state[part].loading) {
      this._again.add(part);
      return;
    }
    this._dispatch({ type: 'asked', part });
    void this._ask(part).then(action => {
      this._dispatch(action);
      if (this._again.delete(part)) {
        this.refresh(part);
      }
    });
  }

  stop(): Promise<boolean> {
    return this._do('run', 'stop', {}, () => undefined);
  }

  /** Let the run stand still before the model is asked, or asked again. */
  hold(): Promise<boolean> {
    return this._do('observations', 'hold', {}, () => undefined);
  }

  /** Let it go on. */
  release(): Promise<boolean> {
    return this._do('observations', 'go_on', {}, () => undefined);
  }

  /** Begin to change what the model is shown of a step; a run that goes on is held for it. */
  draft(step: number): void {
    const run = this._state.run;
    const text = run?.steps.find(each => each.number === step)?.observation;
    if (!run || typeof text !== 'string') {
      return;
    }
    const holds = run.outcome === null && run.held === null;
    this._dispatch({ type: 'draft', draft: { run: run.id, step, text, holds } });
    if (holds) {
      void this.hold().then(done => {
        if (!done) {
          this._dispatch({ type: 'draft', draft: null });
        }
      });
    }
  }

  /** The text so far. */
  write(text: string): void {
    const { draft } = this._state;
    this._dispatch({ type: 'draft', draft: draft && { ...draft, text } });
  }

  /** Show the model the changed text; a run that is held goes on. */
  async save(): Promise<void> {
    const { draft } = this._state;
    if (draft) {
      const { run, step, text } = draft;
      await this._do('observations', 'edit_observation', { run, step, text }, () => {
        this._dispatch({ type: 'draft', draft: null });
      });
    }
  }

  /** Leave the text as it was. */
  leave(): void {
    const { draft, run } = this._state;
    this._dispatch({ type: 'draft', draft: null });
    if (draft?.holds && run?.held !== null) {
      void this.release();
    }
  }

  /** A task is about to be written. */
  prepare(): void {
    void this._connection.request('prepare').catch(() => undefined); // only to be faster later
  }

  /** Show a page of what is in a variable. */
  async look(name: string, row = 0, column = 0): Promise<void> {
    if (this._state.look?.name !== name) {
      this._dispatch({ type: 'look', look: { name, page: null, problem: '' } });
    }
    let look;
    try {
      const page = answers.page(await this._connection.request('look', { name, row, column }));
      look = { name, page, problem: '' };
    } catch (error) {
      look = { name, page: null, problem: sentence(error) };
    }
    if (this._state.look?.name === name) {
      this._dispatch({ type: 'look', look });
    }
  }

  closeLook(): void {
    this._dispatch({ type: 'look', look: null });
  }

  /** Give a variable another value; whether it has it. */
  setVariable(name: string, type: string, text: string): Promise<boolean> {
    return this._do('variables', 'set_variable', { name, type_name: type, text }, data => {
      this._dispatch({ type: 'variable', variable: answers.variable(data) });
    });
  }

  /** Keep or discard staged files; what was refused is said. */
  decide(verb: 'keep' | 'discard', paths: string[], force = false): Promise<boolean> {
    const fields = verb === 'keep' ? { paths, force } : { paths };
    return this._do('files', verb, fields, data => {
      const refused = answers.decided(data).refused;
      if (refused.length) {
        this._trouble('files', refused.map(each => `${each.path}: ${each.reason}.`).join(' '));
      }
      this.refresh('files');
    });
  }

  trust(display: boolean): Promise<boolean> {
    return this._do('sandbox', 'trust', { display }, () => undefined);
  }

  /** Put these options before those of cells, from the next run on. */
  override(options: JSONObject): Promise<boolean> {
    return this._do('settings', 'override', { options }, () => undefined);
  }

  /** Say in a section what could not be done elsewhere; "" when it was done. */
  complain(section: string, words: string): void {
    if (words) {
      this._trouble(section, words);
    } else if (this._state.trouble?.section === section) {
      this._dispatch({ type: 'calm' });
    }
  }

  private async _do(
    section: string,
    verb: string,
    fields: JSONObject,
    done: (data: JSONObject) => void
  ): Promise<boolean> {
    if (this._state.trouble?.section === section) {
      this._dispatch({ type: 'calm' });
    }
    try {
      done(await this._connection.request(verb, fields));
      return true;
    } catch (error) {
      this._trouble(section, sentence(error));
      return false;
    }
  }

  private _trouble(section: string, words: string): void {
    this._dispatch({ type: 'trouble', section, sentence: words });
  }

  private async _ask(part: Part): Promise<Answer | Extract<Action, { type: 'refused' }>> {
    try {
      const data = await this._connection.request(part);
      return answered(part, data);
    } catch (error) {
      return { type: 'refused', part, problem: sentence(error) };
    }
  }

  private _onState(_: IConnectionPort, connection: ConnectionState): void {
    this._dispatch({ type: 'connection', connection });
    if (connection.status === 'connected') {
      this._watched.forEach(part => {
        this.refresh(part);
      });
    }
  }

  private _onOpened(): void {
    this._again.clear();
    this._dispatch({ type: 'opened' });
  }

  private _onMessage(_: IConnectionPort, message: IEventMessage | IEditMessage): void {
    if (message.kind !== 'event') {
      return;
    }
    try {
      const event = readEvent(message.event);
      if (event) {
        this._dispatch({ type: 'event', event, at: Date.now() - 1000 * message.age });
      }
      if (event?.type === 'StepFinished' || event?.type === 'RunFinished') {
        this.stale();
      }
    } catch (error) {
      this._trouble('run', sentence(error));
    }
  }

  private _dispatch(action: Action): void {
    if (this._isDisposed) {
      return;
    }
    this._state = reduce(this._state, action);
    this._changed.emit();
  }

  private readonly _connection: IConnectionPort;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _watched = new Set<Part>();
  private readonly _again = new Set<Part>();
  private _state: IPanelState;
  private _isDisposed = false;
}
