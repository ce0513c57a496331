/**
 * One section of the side panel: draws the present state while it is seen.
 *
 * Rule: a section that is not seen costs nothing: it draws nothing, asks nothing, and its clocks stand still.
 */
import { ReactWidget, Toolbar } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import type { Widget } from '@lumino/widgets';
import * as React from 'react';

import type { IParts } from './state';
import type { Store } from './store';

export interface ISectionOptions {
  /** Part of ids and class names. */
  name: string;
  label: string;
  /** What is asked of the kernel while somebody looks. */
  parts?: readonly (keyof IParts)[];
  /** Seconds after which it is asked again; it is not by itself. */
  every?: number;
  /** `live`: the section is seen. */
  draw: (store: Store, live: boolean) => React.ReactElement;
  /** In the title of the section. */
  buttons?: Record<string, Widget>;
}

export class Section extends ReactWidget {
  constructor(options: ISectionOptions) {
    super();
    this._options = options;
    this.id = `codeact-section-${options.name}`;
    this.addClass('codeact-Section');
    this.title.label = options.label;
    for (const [name, button] of Object.entries(options.buttons ?? {})) {
      this.toolbar.addItem(name, button);
    }
  }

  /** Shown in the section's title while it is open. */
  readonly toolbar = new Toolbar();

  /** Whose state is drawn; null: nobody's. */
  set store(store: Store | null) {
    if (store === this._store) {
      return;
    }
    this._look(false);
    this._store?.changed.disconnect(this._onChanged, this);
    this._store = store;
    store?.changed.connect(this._onChanged, this);
    this._look(this.isVisible);
    this._onChanged();
  }

  get store(): Store | null {
    return this._store;
  }

  override dispose(): void {
    this.store = null;
    super.dispose();
  }

  protected override render(): React.ReactElement {
    return this._store ? this._options.draw(this._store, this._seen) : <></>;
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this._look(this.isVisible);
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this._look(true);
    this.update();
  }

  protected override onBeforeHide(message: Message): void {
    this._look(false);
    this.update(); // once more, so that its clocks stop
    super.onBeforeHide(message);
  }

  protected override onBeforeDetach(message: Message): void {
    this._look(false);
    super.onBeforeDetach(message);
  }

  private _look(seen: boolean): void {
    const { parts = [], every } = this._options;
    this._seen = seen;
    clearInterval(this._timer);
    parts.forEach(part => {
      if (seen) {
        this._store?.watch(part);
      } else {
        this._store?.unwatch(part);
      }
    });
    if (seen && every !== undefined) {
      this._timer = window.setInterval(() => {
        if (!document.hidden) {
          parts.forEach(part => this._store?.refresh(part));
        }
      }, 1000 * every);
    }
  }

  private _onChanged(): void {
    if (this._seen) {
      this.update();
    }
  }

  private readonly _options: ISectionOptions;
  private _store: Store | null = null;
  private _seen = false;
  private _timer: number | undefined;
}
