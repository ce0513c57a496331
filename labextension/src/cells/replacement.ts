/**
 * What an earlier run left below a cell that is run again: it goes, as outputs do.
 *
 * Rule: in one step that Undo takes back. What the user changed is the user's: it stays, marked stale, and so does
 * what other cells made that continued the earlier run.
 */
import type { ISharedCell, ISharedNotebook } from '@jupyter/ydoc';
import type { JSONObject, PartialJSONValue } from '@lumino/coreutils';

import { find } from './apply';
import { sha256 } from './digest';
import { isObject, isRecord, KEY, roleOf, runOf, stepOf } from './metadata';
import { deleteCells, MADE } from './removal';

/**
 * To be called before a cell of the user's gets the metadata of a run. Gives back the cells that went, by id.
 */
export function replaceRun(
  notebook: ISharedNotebook,
  cell: string,
  metadata: JSONObject
): Map<string, ISharedCell> {
  const before = find(notebook, cell)?.getMetadata(KEY);
  const run = runOf(before);
  const isAnother = run !== null && runOf(metadata) !== null && run !== runOf(metadata);
  if (!isAnother || !isIn(before, cell)) {
    return new Map();
  }
  const made = notebook.cells.filter(each => isOf(each, run) && MADE.has(role(each)));
  const below = cellsBelow(notebook, cell, run);
  const steps = new Set(made.filter(each => isTouched(each, made)).map(stepNumber));
  const going = below.filter(each => !steps.has(stepNumber(each)));
  const gone = new Map(going.map(each => [each.getId(), each]));
  const isWhole = roleOf(before) === 'agent';
  notebook.transact(() => {
    // before they go, so that they are stale when Undo brings them back
    (isWhole ? made : below).forEach(markStale);
    if (isWhole) {
      forget(notebook, run);
    }
  }, false);
  deleteCells(notebook, going);
  return gone;
}

/** Whether a header belongs to this cell: that of a copy names the cell it was copied from. */
function isIn(metadata: PartialJSONValue | undefined, cell: string): boolean {
  const header = isObject(metadata) && isObject(metadata.run) ? metadata.run : null;
  return header === null || header.cell === cell;
}

/** What the run made below this cell, up to the next cell of the user's that asked for it. */
function cellsBelow(notebook: ISharedNotebook, cell: string, run: string): ISharedCell[] {
  const cells = notebook.cells;
  const start = cells.findIndex(each => each.getId() === cell) + 1;
  const asks = (each: ISharedCell): boolean => isOf(each, run) && !MADE.has(role(each));
  const length = cells.slice(start).findIndex(asks);
  const end = length < 0 ? cells.length : start + length;
  return cells.slice(start, end).filter(each => isOf(each, run));
}

/** Whether the user changed it, before it ran or since. */
function isTouched(cell: ISharedCell, made: readonly ISharedCell[]): boolean {
  const source = cell.getSource();
  const step = stepOf(cell.getMetadata(KEY));
  if (step) {
    return step.edited || (step.ran !== '' && step.ran !== sha256(source));
  }
  const record = recordOf(cell, made);
  return record !== null && !said(record, stepNumber(cell)).includes(words(source));
}

/** What a cell of prose can say of a step, as its words. */
function said(record: JSONObject, step: number): string[] {
  const thought = typeof record.thought === 'string' ? record.thought : '';
  const answer = typeof record.answer === 'string' ? record.answer : '';
  return [
    `Step ${String(step)}. ${thought || 'No usable reply came from the model.'}`,
    `Answer ${answer || 'empty answer'}`
  ].map(words);
}

/** The letters and digits; links, pictures and HTML of the model are written another way in cells. */
function words(text: string): string {
  return (text.match(/[\p{L}\p{N}]+/gu) ?? []).join('');
}

/** The record of the step that this cell is a part of. */
function recordOf(cell: ISharedCell, made: readonly ISharedCell[]): JSONObject | null {
  const found = made
    .filter(each => stepNumber(each) === stepNumber(cell))
    .map(each => each.getMetadata(KEY))
    .find(isRecord);
  return isObject(found) ? found : null;
}

function markStale(cell: ISharedCell): void {
  const metadata = cell.getMetadata(KEY);
  if (isObject(metadata) && metadata.stale !== true) {
    cell.setMetadata(KEY, { ...metadata, stale: true });
  }
}

/** Take the run out of the notebook's own list: no cell has its header any more. */
function forget(notebook: ISharedNotebook, run: string): void {
  const metadata = notebook.getMetadata(KEY);
  if (isObject(metadata) && Array.isArray(metadata.runs)) {
    const runs = metadata.runs.filter(each => !isObject(each) || each.id !== run);
    notebook.setMetadata(KEY, { ...metadata, runs });
  }
}

function isOf(cell: ISharedCell, run: string): boolean {
  return runOf(cell.getMetadata(KEY)) === run;
}

function role(cell: ISharedCell): string {
  return roleOf(cell.getMetadata(KEY));
}

function stepNumber(cell: ISharedCell): number {
  const metadata = cell.getMetadata(KEY);
  return isObject(metadata) && typeof metadata.step === 'number' ? metadata.step : 0;
}
