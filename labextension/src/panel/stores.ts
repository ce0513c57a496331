/**
 * The store of each open notebook, and the one of the notebook in front.
 *
 * Rule: a store lives as long as its notebook panel; nobody keeps a list.
 */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { KernelMessage } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Connections } from '../connections';
import type { Preferences } from './preferences';
import { Store } from './store';

export class Stores {
  constructor(tracker: INotebookTracker, connections: Connections, preferences: Preferences) {
    this._tracker = tracker;
    this._connections = connections;
    this._preferences = preferences;
    tracker.forEach(panel => {
      this._add(panel);
    });
    tracker.widgetAdded.connect((_, panel) => {
      this._add(panel);
    });
    tracker.currentChanged.connect(() => {
      this._changed.emit();
    });
  }

  /** The notebook in front; null: none is open. */
  get panel(): NotebookPanel | null {
    return this._tracker.currentWidget;
  }

  /** Its store. */
  get current(): Store | null {
    return (this.panel && this._stores.get(this.panel)) ?? null;
  }

  /** Emitted when `current` may be another, or has another kernel. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  private _add(panel: NotebookPanel): void {
    const connection = this._connections.of(panel);
    if (!connection) {
      return;
    }
    const store = new Store(connection);
    const override = (): void => {
      if (store.state.connection.status === 'connected') {
        void store.override(this._preferences.options);
      }
    };
    this._stores.set(panel, store);
    connection.stateChanged.connect(() => {
      this._changed.emit();
      if (Object.keys(this._preferences.options).length) {
        override(); // the settings may have come after the comm was opened
      }
    });
    this._preferences.changed.connect(override);
    panel.sessionContext.iopubMessage.connect((_, message) => {
      if (endsCode(message)) {
        store.stale();
      }
    });
    panel.disposed.connect(() => {
      this._preferences.changed.disconnect(override);
      store.dispose();
    });
    this._changed.emit();
  }

  private readonly _tracker: INotebookTracker;
  private readonly _connections: Connections;
  private readonly _preferences: Preferences;
  private readonly _stores = new WeakMap<NotebookPanel, Store>();
  private readonly _changed = new Signal<this, void>(this);
}

/** Whether the kernel says that a cell is over. Its answers to the panel end with idle, too. */
function endsCode(message: KernelMessage.IMessage): boolean {
  return (
    KernelMessage.isStatusMsg(message) &&
    message.content.execution_state === 'idle' &&
    'msg_type' in message.parent_header &&
    message.parent_header.msg_type === 'execute_request'
  );
}
