/**
 * The commands: ask the agent, let it mend an error, stop its run, show the panel.
 *
 * Rule: a command acts on the notebook in front and is there only where it can do something. Keys, menus and
 * toolbar buttons are in schema/plugin.json.
 */
import { stopIcon } from '@jupyterlab/ui-components';
import type { CommandRegistry } from '@lumino/commands';

import { codeactIcon } from './icon';
import { activeError, insert } from './panel/notebook';
import type { Stores } from './panel/stores';
import { fixTask, NEW_TASK } from './panel/tasks';
import { KERNEL } from './tokens';

export const ASK = 'codeact:ask';
export const FIX = 'codeact:fix-error';
export const STOP = 'codeact:stop-run';
export const SHOW = 'codeact:show-panel';

/** Add all of them. `show` brings the panel to the front. */
export function addCommands(commands: CommandRegistry, stores: Stores, show: () => void): void {
  const isOurs = (): boolean => stores.panel?.sessionContext.session?.kernel?.name === KERNEL;
  const runs = (): boolean => stores.current?.state.run?.outcome === null;
  commands.addCommand(ASK, {
    label: 'Ask the Agent…',
    caption: 'Insert a cell for a task for the agent',
    icon: codeactIcon,
    isVisible: isOurs,
    isEnabled: isOurs,
    execute: () => {
      if (stores.panel) {
        stores.current?.prepare();
        insert(stores.panel, NEW_TASK);
      }
    }
  });
  commands.addCommand(FIX, {
    label: 'Let the Agent Fix This',
    caption: 'Insert a task with the active cell and its error',
    icon: codeactIcon,
    isVisible: isOurs,
    isEnabled: () => isOurs() && stores.panel !== null && activeError(stores.panel) !== null,
    execute: () => {
      const found = stores.panel && activeError(stores.panel);
      if (stores.panel && found) {
        stores.current?.prepare();
        insert(stores.panel, fixTask(found.source, found.error));
      }
    }
  });
  commands.addCommand(STOP, {
    label: 'Stop the Agent',
    caption: 'Stop the run of the agent; everything it has done is kept',
    icon: stopIcon,
    isVisible: isOurs,
    isEnabled: runs,
    execute: () => stores.current?.stop()
  });
  stores.changed.connect(() => {
    // another notebook, or another kernel in it; a toolbar button hears only its own command
    [ASK, FIX, STOP].forEach(command => {
      commands.notifyCommandChanged(command);
    });
  });
  commands.addCommand(SHOW, {
    label: 'Show CodeAct Panel',
    execute: show
  });
}
