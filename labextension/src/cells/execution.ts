/**
 * Executing a cell in the name of a run: the one place that sends an execute_request of our own.
 *
 * Rule: it is JupyterLab's own way of executing a cell, so that prompt, outputs, widgets, `input()` and timing are
 * those of any cell; only the `codeact` of the request's metadata says what it is for.
 */
import type { ISharedCell } from '@jupyter/ydoc';
import { CodeCell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { JSONObject } from '@lumino/coreutils';

import { KEY } from './metadata';

/** Executes cells of one notebook. A fake of it is all the tests need of JupyterLab. */
export interface IExecutor {
  /** Send the cell's request with this as `codeact`. Never throws; nobody waits for the end. */
  execute(cell: ISharedCell, codeact: JSONObject): void;
}

export class Executor implements IExecutor {
  constructor(panel: NotebookPanel) {
    this._panel = panel;
  }

  execute(cell: ISharedCell, codeact: JSONObject): void {
    const widget = this._panel.content.widgets.find(each => each.model.id === cell.getId());
    if (widget instanceof CodeCell) {
      void this._execute(widget, codeact);
    }
  }

  private async _execute(widget: CodeCell, codeact: JSONObject): Promise<void> {
    if (widget.isPlaceholder()) {
      await widget.ready; // it has no output area before
    }
    if (widget.isDisposed) {
      return;
    }
    const recordTiming = this._panel.content.notebookConfig.recordTiming;
    try {
      await CodeCell.execute(widget, this._panel.sessionContext, {
        recordTiming,
        [KEY]: codeact
      });
    } catch (error) {
      // the kernel was restarted, or the cell was taken away under its request
      console.debug('codeact: a cell was left before its end', error);
    }
  }

  private readonly _panel: NotebookPanel;
}
