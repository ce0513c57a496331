/**
 * The connection of each open notebook, and what it does to the notebook's cells.
 *
 * Rule: a connection lives as long as its notebook, or the page.
 */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { JSONObject } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { connectCells } from './cells/cells';
import type { ISurroundings } from './cells/saving';
import { Connection } from './connection';
import { PerNotebook } from './notebooks';
import type { ConnectionState } from './tokens';

export class Connections {
  /** `overrides`: the options of `%%agent` that the user prefers now. */
  constructor(tracker: INotebookTracker, overrides: () => JSONObject, surroundings: ISurroundings) {
    this._overrides = overrides;
    this._surroundings = surroundings;
    this._connections = new PerNotebook(tracker, panel => this._connect(panel));
    this._connections.currentChanged.connect(() => {
      this._changed.emit();
    });
    window.addEventListener('pagehide', event => {
      if (!event.persisted) {
        this._connections.forEach(connection => {
          connection.dispose();
        });
      }
    });
  }

  /** The state of the current notebook's connection; null: no notebook is open. */
  get current(): ConnectionState | null {
    return this._connections.current?.state ?? null;
  }

  /** The connection of a notebook; null: it is not open. */
  of(panel: NotebookPanel): Connection | null {
    return this._connections.of(panel);
  }

  /** Emitted when `current` may be another. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  private _connect(panel: NotebookPanel): Connection {
    const { context, sessionContext } = panel;
    const connection = new Connection(
      sessionContext,
      () => ({
        client: 'jupyterlab',
        cells: true,
        runs: true,
        collaborates: context.model.collaborative ?? false,
        overrides: this._overrides()
      }),
      Promise.all([sessionContext.ready, context.ready])
    );
    const cells = connectCells(panel, connection, this._surroundings);
    panel.disposed.connect(() => {
      cells.dispose();
    });
    connection.stateChanged.connect(() => {
      this._changed.emit();
    });
    return connection;
  }

  private readonly _overrides: () => JSONObject;
  private readonly _surroundings: ISurroundings;
  private readonly _connections: PerNotebook<Connection>;
  private readonly _changed = new Signal<this, void>(this);
}
