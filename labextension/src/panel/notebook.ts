/**
 * What the panel and its commands do in a notebook: go to a cell, insert one, read an error.
 *
 * Rule: only on the user's click, in the notebook it was meant for, and so that Undo takes it back.
 */
import { NotebookActions } from '@jupyterlab/notebook';
import type { NotebookPanel } from '@jupyterlab/notebook';

import type { IRun } from './run';

/** Show a cell; when it is not there, the next of these that is. */
export async function reveal(panel: NotebookPanel, ...cells: string[]): Promise<void> {
  const notebook = panel.content;
  const at = cells
    .map(id => notebook.widgets.findIndex(cell => cell.model.id === id))
    .find(index => index >= 0);
  const cell = at === undefined ? undefined : notebook.widgets[at];
  if (at === undefined || !cell) {
    return;
  }
  notebook.deselectAll();
  notebook.activeCellIndex = at;
  await notebook.scrollToCell(cell, 'center');
}

/** A new code cell below the active one, ready to be written in. */
export function insert(panel: NotebookPanel, source: string): void {
  const notebook = panel.content;
  NotebookActions.insertBelow(notebook);
  const cell = notebook.activeCell;
  cell?.model.sharedModel.setSource(source);
  notebook.mode = 'edit';
  void cell?.ready.then(() => {
    const end = source.lastIndexOf('\n');
    const line = source.split('\n').length - 1;
    cell.editor?.setCursorPosition({ line, column: source.length - end - 1 });
    cell.node.scrollIntoView({ block: 'nearest' });
  });
}

/** Insert a cell below everything of the run, and run it. */
export async function goOn(panel: NotebookPanel, run: IRun, source: string): Promise<void> {
  const notebook = panel.content;
  const ids = new Set([run.cell, ...run.steps.map(step => step.cell)]);
  const last = notebook.widgets.reduce(
    (found, cell, at) =>
      ids.has(cell.model.id) || runOf(cell.model.getMetadata('codeact')) === run.id ? at : found,
    -1
  );
  if (last >= 0) {
    notebook.activeCellIndex = last;
  }
  insert(panel, source);
  await NotebookActions.run(notebook, panel.sessionContext);
}

/** Execute a line of the user's that has no cell; why it failed, "" when it did not. */
export async function execute(panel: NotebookPanel, code: string): Promise<string> {
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel) {
    return 'This notebook has no kernel.';
  }
  try {
    const reply = await kernel.requestExecute({ code, store_history: false }).done;
    return reply.content.status === 'error' ? reply.content.evalue : '';
  } catch {
    return 'The kernel ended before it could do this.'; // its futures are cancelled with it
  }
}

/** The source of the active cell and the error below it; null: there is none. */
export function activeError(panel: NotebookPanel): { source: string; error: string } | null {
  const model = panel.content.activeCell?.model;
  if (model?.type !== 'code') {
    return null;
  }
  const outputs: unknown = model.sharedModel.toJSON().outputs;
  const error: unknown = Array.isArray(outputs) ? outputs.find(isError) : undefined;
  return isError(error) ? { source: model.sharedModel.getSource(), error: errorText(error) } : null;
}

interface IError {
  output_type: 'error';
  traceback: unknown[];
}

function isError(output: unknown): output is IError {
  return (
    typeof output === 'object' &&
    output !== null &&
    'output_type' in output &&
    output.output_type === 'error' &&
    'traceback' in output &&
    Array.isArray(output.traceback)
  );
}

function errorText(error: IError): string {
  return error.traceback.map(String).join('\n');
}

function runOf(metadata: unknown): string {
  return typeof metadata === 'object' &&
    metadata !== null &&
    'run' in metadata &&
    typeof metadata.run === 'string'
    ? metadata.run
    : '';
}
