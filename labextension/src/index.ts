/** The wiring: one plugin that connects notebooks to their kernels, puts the panel at the right, adds commands. */
import { ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';

import { addCellCommands, REMOVE } from './cells/commands';
import { addCommands, ASK, FIX, SHOW, STOP } from './commands';
import { Connections } from './connections';
import { Preferences } from './panel/preferences';
import { sections } from './panel/sections';
import { Sidebar } from './panel/sidebar';
import { Stores } from './panel/stores';

const ID = 'codeact-labextension:plugin';
const AUTOSAVE = 'docmanager:toggle-autosave';

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'Connects notebooks to their CodeAct kernel and shows the panel.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ISettingRegistry, ILayoutRestorer, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    registry: ISettingRegistry | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null
  ) => {
    const preferences = new Preferences(registry?.load(ID) ?? null);
    const connections = new Connections(tracker, () => ({ ...preferences.options }), {
      // without that command nobody can have turned it off
      autosaves: () => !app.commands.hasCommand(AUTOSAVE) || app.commands.isToggled(AUTOSAVE),
      look: path => app.serviceManager.contents.get(path, { content: false, hash: true }),
      now: () => performance.now(),
      sleep: milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))
    });
    const stores = new Stores(tracker, connections, preferences);
    const ask = (): void => void app.commands.execute(ASK);
    const sidebar = new Sidebar(connections, stores, sections(stores, preferences, ask));
    // Notebook 7 has a right area too; without one the application decides
    app.shell.add(sidebar, 'right', { rank: 900, type: 'CodeAct' });
    restorer?.add(sidebar, sidebar.id);
    addCellCommands(app.commands, tracker);
    app.contextMenu.addItem({ command: REMOVE, selector: '.jp-Notebook .codeact-Cell', rank: 20 });
    addCommands(app.commands, stores, () => {
      app.shell.activateById(sidebar.id);
    });
    for (const command of [ASK, FIX, STOP, SHOW, REMOVE]) {
      palette?.addItem({ command, category: 'CodeAct' });
    }
  }
};

export default plugin;
