/**
 * The commands about the cells of a run.
 *
 * Rule: a command acts on the run of the active cell, and is there only where it can do something.
 */
import type { ISharedNotebook } from '@jupyter/ydoc';
import type { INotebookTracker } from '@jupyterlab/notebook';
import { deleteIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';

import { KEY, runOf } from './metadata';
import { madeBy, removeCells } from './removal';

export const REMOVE = 'codeact:remove-cells';

/** Add all of them. */
export function addCellCommands(commands: CommandRegistry, tracker: INotebookTracker): void {
  const target = (): { notebook: ISharedNotebook; run: string } | null => {
    const panel = tracker.currentWidget;
    const run = runOf(tracker.activeCell?.model.sharedModel.getMetadata(KEY));
    const notebook = panel?.context.model.sharedModel;
    return notebook && run !== null ? { notebook, run } : null;
  };
  commands.addCommand(REMOVE, {
    label: 'Remove the Cells of This Run',
    caption: 'Delete all cells that this run of the agent made; one Undo brings them back',
    icon: deleteIcon,
    isVisible: () => target() !== null,
    isEnabled: () => {
      const found = target();
      return found !== null && madeBy(found.notebook, found.run).length > 0;
    },
    execute: () => {
      const found = target();
      if (found) {
        removeCells(found.notebook, found.run);
      }
    }
  });
}
