/**
 * The head of the side panel: what the connection of the notebook in front is, in words.
 *
 * Rule: one line when all is well; otherwise what is the matter and what to do. Nothing is remembered.
 */
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Connections } from '../connections';
import { describe } from '../describe';

export class Header extends ReactWidget {
  constructor(connections: Connections) {
    super();
    this._connections = connections;
    this.addClass('codeact-Header');
  }

  protected override render(): React.ReactElement {
    return <Status {...describe(this._connections.current)} />;
  }

  private readonly _connections: Connections;
}

/** A heading and a paragraph; `mood` chooses the colour of the mark. */
function Status(props: { mood: string; heading: string; text: string }): React.ReactElement {
  return (
    <div className="codeact-Status" data-mood={props.mood} aria-live="polite">
      <h2 className="codeact-Status-heading">{props.heading}</h2>
      <p className="codeact-Status-text">{props.text}</p>
    </div>
  );
}
