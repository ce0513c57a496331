/**
 * Which failed attempts lie under which step.
 *
 * Rule: a pure function of the cells in their order. An attempt belongs to the next step of its run that ended
 * well; failures that nothing repaired stay in sight.
 */

/** What folding has to know of a cell. `run` null: a cell of no run. */
export interface IFoldable {
  id: string;
  run: string | null;
  role: string;
  status: string;
}

const FAILED = new Set(['error', 'timeout', 'died', 'not_run']);

/** For each step that repaired something its id, and the ids of all cells of the attempts before it. */
export function folds(cells: readonly IFoldable[]): Map<string, string[][]> {
  const found = new Map<string, string[][]>();
  const runs = new Map<string, { prose: string[]; failed: string[][] }>();
  for (const cell of cells) {
    if (cell.run === null) {
      continue;
    }
    const run = runs.get(cell.run) ?? { prose: [], failed: [] };
    runs.set(cell.run, run);
    if (cell.role === 'thought') {
      run.prose.push(cell.id);
    } else if (cell.role === 'step' && FAILED.has(cell.status)) {
      run.failed.push([...run.prose, cell.id]);
      run.prose = [];
    } else if (cell.role === 'step') {
      if (cell.status === 'ok' && run.failed.length > 0) {
        found.set(cell.id, run.failed);
      }
      runs.set(cell.run, { prose: [], failed: [] });
    }
  }
  return found;
}
