/**
 * Removing what a run put into a notebook, in one step of the undo stack.
 *
 * Rule: the cells go, the agent cell and everything of the user's stays; what was run stays run.
 */
import type { ISharedNotebook } from '@jupyter/ydoc';

import { KEY, roleOf, runOf } from './metadata';

const MADE = new Set(['thought', 'step', 'answer']);

/** Delete the cells that this run made. */
export function removeCells(notebook: ISharedNotebook, run: string): void {
  const places = madeBy(notebook, run).reverse(); // from the end, so that the others keep their places
  notebook.transact(() => {
    places.forEach(at => {
      notebook.deleteCell(at);
    });
  });
}

/** The places of the cells that this run made. */
export function madeBy(notebook: ISharedNotebook, run: string): number[] {
  return notebook.cells.flatMap((cell, at) => {
    const metadata = cell.getMetadata(KEY);
    return runOf(metadata) === run && MADE.has(roleOf(metadata)) ? [at] : [];
  });
}
