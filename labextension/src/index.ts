/** The wiring: one plugin that connects notebooks to their kernels and puts the panel at the right. */
import { ILayoutRestorer } from '@jupyterlab/application';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';

import { addCellCommands, REMOVE } from './cells/commands';
import { Connections } from './connections';
import { Panel } from './panel';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'codeact-labextension:plugin',
  description: 'Connects notebooks to their CodeAct kernel and shows the panel.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, tracker: INotebookTracker, restorer: ILayoutRestorer | null) => {
    const panel = new Panel(new Connections(tracker));
    addCellCommands(app.commands, tracker);
    app.contextMenu.addItem({ command: REMOVE, selector: '.jp-Notebook .codeact-Cell', rank: 20 });
    // Notebook 7 has a right area too; without one the application decides
    app.shell.add(panel, 'right', { rank: 900, type: 'CodeAct' });
    restorer?.add(panel, panel.id);
  }
};

export default plugin;
