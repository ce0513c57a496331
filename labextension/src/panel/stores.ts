/**
 * The store of each open notebook, and the one of the notebook in front.
 *
 * Rule: a store lives as long as its notebook.
 */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { KernelMessage } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Connection } from '../connection';
import type { Connections } from '../connections';
import { PerNotebook } from '../notebooks';
import type { Preferences } from './preferences';
import { Store } from './store';

export class Stores {
  /** `connections` are there before, so that each notebook has its own already. */
  constructor(tracker: INotebookTracker, connections: Connections, preferences: Preferences) {
    this._preferences = preferences;
    this._stores = new PerNotebook(tracker, panel => {
      const connection = connections.of(panel);
      if (!connection) {
        throw new Error('a notebook without a connection');
      }
      return this._store(panel, connection);
    });
    this._stores.currentChanged.connect(() => {
      this._changed.emit();
    });
  }

  /** The notebook in front; null: none is open. */
  get panel(): NotebookPanel | null {
    return this._stores.panel;
  }

  /** Its store. */
  get current(): Store | null {
    return this._stores.current;
  }

  /** Emitted when `current` may be another, or has another kernel. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  private _store(panel: NotebookPanel, connection: Connection): Store {
    const store = new Store(connection);
    const override = (): void => {
      if (store.state.connection.status === 'connected') {
        void store.override(this._preferences.options);
      }
    };
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
    });
    return store;
  }

  private readonly _preferences: Preferences;
  private readonly _stores: PerNotebook<Store>;
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
