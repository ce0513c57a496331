/**
 * What belongs to each open notebook, and that of the notebook in front.
 *
 * Rule: it is made when the notebook opens and disposed of when it closes; nobody keeps a list.
 */
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

export class PerNotebook<T extends IDisposable> {
  /** `make` is called with each notebook that is open, or opens. */
  constructor(tracker: INotebookTracker, make: (panel: NotebookPanel) => T) {
    this._tracker = tracker;
    this._make = make;
    tracker.forEach(panel => {
      this._add(panel);
    });
    tracker.widgetAdded.connect((_, panel) => {
      this._add(panel);
    });
    tracker.currentChanged.connect(() => {
      this._currentChanged.emit();
    });
  }

  /** The notebook in front; null: none is open. */
  get panel(): NotebookPanel | null {
    return this._tracker.currentWidget;
  }

  /** What belongs to it. */
  get current(): T | null {
    return this.panel && this.of(this.panel);
  }

  /** What belongs to this notebook; null: it is not open. */
  of(panel: NotebookPanel): T | null {
    return this._made.get(panel) ?? null;
  }

  /** Emitted when `current` may be another. */
  get currentChanged(): ISignal<this, void> {
    return this._currentChanged;
  }

  forEach(act: (made: T) => void): void {
    this._tracker.forEach(panel => {
      const made = this.of(panel);
      if (made) {
        act(made);
      }
    });
  }

  private _add(panel: NotebookPanel): void {
    const made = this._make(panel);
    this._made.set(panel, made);
    panel.disposed.connect(() => {
      made.dispose();
    });
    this._currentChanged.emit();
  }

  private readonly _tracker: INotebookTracker;
  private readonly _make: (panel: NotebookPanel) => T;
  private readonly _made = new WeakMap<NotebookPanel, T>();
  private readonly _currentChanged = new Signal<this, void>(this);
}
