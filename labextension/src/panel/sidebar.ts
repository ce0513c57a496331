/**
 * The side panel: a word about the connection on top, the sections below it.
 *
 * Rule: it follows the notebook in front and remembers nothing of it; the sections draw its store.
 */
import { SidePanel } from '@jupyterlab/ui-components';
import { AccordionPanel } from '@lumino/widgets';

import type { Connections } from '../connections';
import { codeactIcon } from '../icon';
import { Header } from './header';
import type { Section } from './section';
import type { Stores } from './stores';

/** Sections that are open at first. */
const OPEN = new Set(['codeact-section-run', 'codeact-section-variables']);
/** Its timeline is long. */
const LARGE = 'codeact-section-run';

export class Sidebar extends SidePanel {
  constructor(connections: Connections, stores: Stores, sections: Section[]) {
    super();
    this._connections = connections;
    this._stores = stores;
    this._sections = sections;
    this.id = 'codeact-panel';
    this.addClass('codeact-Panel');
    this.title.icon = codeactIcon;
    this.title.caption = 'CodeAct';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'CodeAct');
    this._head = new Header(connections);
    this.header.addWidget(this._head);
    sections.forEach((section, at) => {
      this.addWidget(section);
      if (this.content instanceof AccordionPanel && !OPEN.has(section.id)) {
        this.content.collapse(at);
      }
    });
    if (this.content instanceof AccordionPanel) {
      this.content.expansionToggled.connect(this._share, this);
    }
    this._share();
    connections.changed.connect(this._follow, this);
    stores.changed.connect(this._follow, this);
    this._follow();
  }

  /** A section that is opened gets its share of the room, whatever it had before. */
  private _share(): void {
    if (this.content instanceof AccordionPanel) {
      const share = (section: Section): number => (section.id === LARGE ? 1.5 : 1);
      this.content.setRelativeSizes(
        this._sections.map(section => (section.isHidden ? 0 : share(section)))
      );
    }
  }

  private _follow(): void {
    const connected = this._connections.current?.status === 'connected';
    const store = connected ? this._stores.current : null;
    this._sections.forEach(section => {
      section.store = store;
    });
    this.content.setHidden(!connected);
    this._head.update();
  }

  private readonly _connections: Connections;
  private readonly _stores: Stores;
  private readonly _sections: Section[];
  private readonly _head: Header;
}
