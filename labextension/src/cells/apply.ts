/**
 * What an edit of the kernel does to a notebook: trace/edits.py in TypeScript, on JupyterLab's shared model.
 *
 * Rule: an edit says how a cell is now, so applying one twice changes nothing. Nothing here can be undone by
 * accident: every change stays off the undo stack. A run that this notebook has no cell of is not shown in it.
 */
import type { ISharedCell, ISharedCodeCell, ISharedNotebook } from '@jupyter/ydoc';
import type { IOutput } from '@jupyterlab/nbformat';
import { JSONExt } from '@lumino/coreutils';
import type { JSONObject, PartialJSONValue } from '@lumino/coreutils';

import type { Edit, IInsert, INotebook, IRestore } from '../protocol';
import { isObject, isRecord, KEY, runOf } from './metadata';

/** Do one edit. What asks for something else (`run`, `attach`, `follow`, `save`) changes no cell. */
export function apply(edit: Edit, notebook: ISharedNotebook): void {
  notebook.transact(() => {
    switch (edit.op) {
      case 'insert':
        insert(edit, notebook);
        break;
      case 'source':
        setSource(find(notebook, edit.cell), edit.source);
        break;
      case 'outputs':
        setOutputs(find(notebook, edit.cell), edit.outputs, edit.count);
        break;
      case 'metadata':
        find(notebook, edit.cell)?.setMetadata(KEY, edit.metadata);
        break;
      case 'restore':
        restore(edit, notebook);
        break;
      case 'delete':
        remove(notebook, edit.cell);
        break;
      case 'notebook':
        merge(edit, notebook);
        break;
      case 'run':
      case 'attach':
      case 'follow':
      case 'save':
        break;
    }
  }, false);
}

/** Whether a cell is there with the metadata this edit gives it. */
export function isRestored(edit: IRestore, notebook: ISharedNotebook): boolean {
  const metadata = find(notebook, edit.cell)?.getMetadata(KEY);
  return metadata !== undefined && JSONExt.deepEqual(metadata ?? null, edit.metadata);
}

/** The cell with this id. */
export function find(notebook: ISharedNotebook, id: string): ISharedCell | undefined {
  return notebook.cells.find(cell => cell.getId() === id);
}

/** Make the source this text, touching only what differs, so that cursors and selections stay. */
export function setSource(cell: ISharedCell | undefined, source: string): void {
  if (!cell) {
    return;
  }
  const old = cell.getSource();
  if (old === source) {
    return;
  }
  const most = Math.min(old.length, source.length);
  let start = 0;
  while (start < most && old[start] === source[start]) {
    start++;
  }
  let end = 0;
  while (end < most - start && old[old.length - 1 - end] === source[source.length - 1 - end]) {
    end++;
  }
  cell.updateSource(start, old.length - end, source.slice(start, source.length - end));
}

function insert(edit: IInsert | IRestore, notebook: ISharedNotebook): void {
  if (find(notebook, edit.cell)) {
    return;
  }
  const place = placeBelow(notebook, edit.after, edit.metadata);
  if (place < 0) {
    return;
  }
  const made = {
    id: edit.cell,
    source: edit.source,
    metadata: { [KEY]: edit.metadata }
  };
  notebook.insertCell(
    place,
    edit.cell_type === 'code'
      ? { ...made, cell_type: 'code', execution_count: null, outputs: [] }
      : { ...made, cell_type: 'markdown' }
  );
}

/**
 * The index below the cell `after`; where that is gone, below what is left of the same run above everything
 * else; -1 where nothing of the run is here.
 */
function placeBelow(notebook: ISharedNotebook, after: string, metadata: JSONObject): number {
  const cells = notebook.cells;
  const anchor = cells.findIndex(cell => cell.getId() === after);
  if (anchor >= 0) {
    return anchor + 1;
  }
  const run = runOf(metadata);
  for (let at = cells.length - 1; at >= 0; at--) {
    if (run !== null && runOf(cells[at]?.getMetadata(KEY)) === run) {
      return at + 1;
    }
  }
  return -1;
}

/**
 * The user's own cells keep their source. So does a step that has its record: what differs there is the user's
 * work. What was still being written when the notebook was saved is completed.
 */
function restore(edit: IRestore, notebook: ISharedNotebook): void {
  const own = edit.metadata.role === 'agent' || edit.metadata.role === 'continue';
  if (!own) {
    insert(edit, notebook);
  }
  const cell = find(notebook, edit.cell);
  if (!cell) {
    return;
  }
  if (!isRestored(edit, notebook)) {
    if (!own) {
      setSource(cell, edit.source);
    }
    cell.setMetadata(KEY, edit.metadata);
  } else if (!own && !isRecord(edit.metadata) && edit.source.startsWith(cell.getSource())) {
    setSource(cell, edit.source);
  }
}

function setOutputs(
  cell: ISharedCell | undefined,
  outputs: readonly JSONObject[],
  count: number | null
): void {
  if (cell && isCode(cell)) {
    cell.setOutputs(outputs.filter(isOutput));
    cell.execution_count = count;
  }
}

function remove(notebook: ISharedNotebook, id: string): void {
  const at = notebook.cells.findIndex(cell => cell.getId() === id);
  if (at >= 0) {
    notebook.deleteCell(at);
  }
}

/** The edit's runs replace those with the same id; the others stay. Nothing is touched where nothing differs. */
function merge(edit: INotebook, notebook: ISharedNotebook): void {
  const old = notebook.getMetadata(KEY);
  const fresh = runsIn(edit.metadata);
  const runs = runsIn(old).map(run => fresh.find(each => each.id === run.id) ?? run);
  runs.push(...fresh.filter(run => !runs.some(each => each.id === run.id)));
  const merged = { ...edit.metadata, runs };
  if (!isObject(old) || !JSONExt.deepEqual(old, merged)) {
    notebook.setMetadata(KEY, merged);
  }
}

function runsIn(metadata: PartialJSONValue | undefined): JSONObject[] {
  const runs = isObject(metadata) ? metadata.runs : undefined;
  return Array.isArray(runs) ? runs.filter(isObject) : [];
}

function isCode(cell: ISharedCell): cell is ISharedCodeCell {
  return cell.cell_type === 'code';
}

function isOutput(output: JSONObject): output is JSONObject & IOutput {
  return typeof output.output_type === 'string';
}
