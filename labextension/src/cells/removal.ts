/**
 * Removing what a run put into a notebook, in one step of the undo stack.
 *
 * Rule: the cells go, the agent cell and everything of the user's stays; what was run stays run.
 */
import type { ISharedCell, ISharedNotebook } from '@jupyter/ydoc';

import { KEY, roleOf, runOf } from './metadata';

/** The roles of cells that a run makes. */
export const MADE: ReadonlySet<string> = new Set(['thought', 'step', 'answer']);

/** Delete the cells that this run made. */
export function removeCells(notebook: ISharedNotebook, run: string): void {
  deleteCells(notebook, madeBy(notebook, run));
}

/** Delete these cells at once; one Undo brings them back. */
export function deleteCells(notebook: ISharedNotebook, cells: readonly ISharedCell[]): void {
  const gone = new Set(cells);
  const places = notebook.cells.flatMap((cell, at) => (gone.has(cell) ? [at] : []));
  notebook.transact(() => {
    // from the end, so that the others keep their places; inside, `cells` is the list of before
    places.reverse().forEach(at => {
      notebook.deleteCell(at);
    });
  });
}

/** The cells that this run made. */
export function madeBy(notebook: ISharedNotebook, run: string): ISharedCell[] {
  return notebook.cells.filter(cell => {
    const metadata = cell.getMetadata(KEY);
    return runOf(metadata) === run && MADE.has(roleOf(metadata));
  });
}
