/**
 * One notebook as a projection of the runs in its kernel: the one owner of which cells are the kernel's.
 *
 * Rule: the kernel says how cells are, this file makes them so and never decides about a run. What the user does
 * to the cells (deletes one, moves one, takes a deletion back) is told to the kernel, which then says what follows.
 */
import type { ISharedCell, ISharedNotebook, NotebookChange } from '@jupyter/ydoc';
import type { JSONObject } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Edit, IEditMessage, IEventMessage, IRestore } from '../protocol';
import type { IConnectionPort } from '../tokens';
import { apply, find, isRestored } from './apply';
import type { IExecutor } from './execution';
import { roleOf } from './metadata';
import { MADE } from './removal';
import { replaceRun } from './replacement';

export class Projection implements IDisposable {
  /** `save` saves the notebook's file, if that can be done without asking anybody. */
  constructor(
    voice: IConnectionPort,
    notebook: ISharedNotebook,
    executor: IExecutor,
    save: () => void
  ) {
    this._voice = voice;
    this._notebook = notebook;
    this._executor = executor;
    this._save = save;
    voice.opened.connect(this._onOpened, this);
    voice.received.connect(this._onReceived, this);
    notebook.changed.connect(this._onChanged, this);
  }

  /** Whether the kernel that is connected now has told of this cell. */
  knows(cell: string): boolean {
    return this._known.has(cell) || this._begun.has(cell);
  }

  /** Emitted when `knows` may have changed. */
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

  /** A new comm: everything is told anew, from number 1. */
  private _onOpened(): void {
    this._seq = 0;
    this._known.clear();
    this._begun.clear();
    this._running.clear();
    this._returned.clear();
    this._changed.emit();
  }

  private _onReceived(_: IConnectionPort, message: IEventMessage | IEditMessage): void {
    const missed = message.seq > this._seq + 1;
    this._seq = message.seq;
    if (missed) {
      this._ask('restore'); // the server drops messages when a cell floods it with output
    }
    if (message.kind === 'edit') {
      this._apply(message.edit);
    } else {
      this._hear(message.event);
    }
  }

  /** Of pages that share a notebook only one is told of edits; all are told of events. */
  private _hear(event: IEventMessage['event']): void {
    if (event.type === 'StepStarted' && typeof event.cell === 'string') {
      this._begun.add(event.cell);
      this._changed.emit();
    }
  }

  private _apply(edit: Edit): void {
    if (edit.op === 'delete') {
      this._known.delete(edit.cell);
    }
    if ((edit.op === 'metadata' || edit.op === 'restore') && !MADE.has(roleOf(edit.metadata))) {
      // known, so that the kernel is told that they go, and when Undo brings them back
      replaceRun(this._notebook, edit.cell, edit.metadata).forEach((cell, id) => {
        this._known.set(id, cell);
      });
    }
    const looks = edit.op === 'restore' && this._wantsLook(edit);
    apply(edit, this._notebook);
    switch (edit.op) {
      case 'insert':
        this._know(edit.cell);
        break;
      case 'metadata':
        this._know(edit.cell);
        this._note(edit.cell, edit.metadata);
        break;
      case 'restore':
        this._know(edit.cell);
        this._note(edit.cell, edit.metadata);
        if (looks) {
          this._look(edit.cell, edit.under_way);
        }
        break;
      case 'run':
        this._execute(edit.cell, { auto: true, token: edit.token });
        break;
      case 'attach':
        this._know(edit.cell);
        this._look(edit.cell, true);
        break;
      case 'save':
        this._save();
        break;
      case 'source':
      case 'outputs':
      case 'delete':
      case 'notebook':
      case 'follow':
        break;
    }
  }

  /** Whether a cell's outputs are missing here, or still come. */
  private _wantsLook(edit: IRestore): boolean {
    return (
      edit.attach &&
      (edit.under_way || this._returned.has(edit.cell) || !isRestored(edit, this._notebook))
    );
  }

  private _look(cell: string, underWay: boolean): void {
    this._returned.delete(cell);
    if (underWay) {
      this._running.add(cell);
    }
    this._execute(cell, { attach: true });
  }

  private _execute(id: string, codeact: JSONObject): void {
    const cell = find(this._notebook, id);
    if (cell) {
      this._executor.execute(cell, codeact);
    }
  }

  private _know(id: string): void {
    const cell = find(this._notebook, id);
    if (cell) {
      const isNew = !this._known.has(id);
      this._known.set(id, cell);
      if (isNew) {
        this._changed.emit();
      }
    }
  }

  /** A cell that runs has to be attached to again when its widget is made anew. */
  private _note(id: string, metadata: JSONObject): void {
    const over = metadata.role === 'agent' ? isOver(metadata) : metadata.status !== 'running';
    if (over) {
      this._running.delete(id);
    } else {
      this._running.add(id);
    }
  }

  private _onChanged(_: ISharedNotebook, change: NotebookChange): void {
    if (change.cellsChange && !this._checking) {
      this._checking = true;
      // a move is a deletion and an insertion: look when both are done
      queueMicrotask(() => {
        this._checking = false;
        if (!this._isDisposed) {
          this._check();
        }
      });
    }
  }

  /** Compare the cells that are there with those that should be. */
  private _check(): void {
    const here = new Map(this._notebook.cells.map(cell => [cell.getId(), cell]));
    const deleted: string[] = [];
    const returned: string[] = [];
    for (const [id, was] of this._known) {
      const cell = here.get(id) ?? null;
      if (cell === was) {
        continue;
      }
      this._known.set(id, cell);
      if (cell === null) {
        deleted.push(id);
      } else if (was === null) {
        returned.push(id);
        this._returned.add(id);
      } else if (this._running.has(id)) {
        this._execute(id, { attach: true });
      }
    }
    if (deleted.length > 0) {
      this._ask('deleted', { cells: deleted });
    }
    if (returned.length > 0) {
      this._ask('returned', { cells: returned });
    }
  }

  private _ask(verb: string, fields: JSONObject = {}): void {
    this._voice.request(verb, fields).catch((problem: unknown) => {
      console.debug(`codeact: ${verb}:`, problem); // the comm is gone; a new one tells everything
    });
  }

  private readonly _voice: IConnectionPort;
  private readonly _notebook: ISharedNotebook;
  private readonly _executor: IExecutor;
  private readonly _save: () => void;
  private readonly _changed = new Signal<this, void>(this);
  private readonly _known = new Map<string, ISharedCell | null>();
  private readonly _begun = new Set<string>();
  private readonly _running = new Set<string>();
  private readonly _returned = new Set<string>();
  private _seq = 0;
  private _checking = false;
  private _isDisposed = false;
}

/** Whether the run in an agent cell's metadata has ended. */
function isOver(metadata: JSONObject): boolean {
  const run = metadata.run;
  return (
    typeof run === 'object' && run !== null && !Array.isArray(run) && Boolean(run.outcome ?? false)
  );
}
