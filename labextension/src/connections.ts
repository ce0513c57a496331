/**
 * The connection of each open notebook, and the one of the notebook in front.
 *
 * Rule: a connection lives as long as its notebook panel, or the page; nobody keeps a list.
 */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { JSONObject } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import { connectCells } from './cells/cells';
import { Connection } from './connection';
import type { ConnectionState } from './tokens';

export class Connections {
  /** `overrides`: the options of `%%agent` that the user prefers now. */
  constructor(tracker: INotebookTracker, overrides: () => JSONObject) {
    this._tracker = tracker;
    this._overrides = overrides;
    tracker.forEach(panel => {
      this._add(panel);
    });
    tracker.widgetAdded.connect((_, panel) => {
      this._add(panel);
    });
    tracker.currentChanged.connect(() => {
      this._changed.emit();
    });
    window.addEventListener('pagehide', event => {
      if (!event.persisted) {
        tracker.forEach(panel => this._connections.get(panel)?.dispose());
      }
    });
  }

  /** The state of the current notebook's connection; null: no notebook is open. */
  get current(): ConnectionState | null {
    const panel = this._tracker.currentWidget;
    return (panel && this._connections.get(panel)?.state) ?? null;
  }

  /** The connection of a notebook; null: it is not open. */
  of(panel: NotebookPanel): Connection | null {
    return this._connections.get(panel) ?? null;
  }

  /** Emitted when `current` may be another. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  private _add(panel: NotebookPanel): void {
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
    const cells = connectCells(panel, connection);
    this._connections.set(panel, connection);
    connection.stateChanged.connect(() => {
      this._changed.emit();
    });
    panel.disposed.connect(() => {
      cells.dispose();
      connection.dispose();
    });
    this._changed.emit();
  }

  private readonly _tracker: INotebookTracker;
  private readonly _overrides: () => JSONObject;
  private readonly _connections = new WeakMap<NotebookPanel, Connection>();
  private readonly _changed = new Signal<this, void>(this);
}
