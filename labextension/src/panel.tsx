/**
 * The side panel: a function of the current notebook's connection.
 *
 * Rule: nothing is remembered here. A hidden panel draws nothing.
 */
import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Connections } from './connections';
import { describe } from './describe';
import { codeactIcon } from './icon';

export class Panel extends ReactWidget {
  constructor(connections: Connections) {
    super();
    this._connections = connections;
    this.id = 'codeact-panel';
    this.addClass('codeact-Panel');
    this.title.icon = codeactIcon;
    this.title.caption = 'CodeAct';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'CodeAct');
  }

  protected override render(): React.ReactElement {
    return (
      <UseSignal signal={this._connections.changed}>
        {() => <Status {...describe(this._connections.current)} />}
      </UseSignal>
    );
  }

  private readonly _connections: Connections;
}

/** One heading and one paragraph; `mood` chooses the colour of the mark. */
function Status(props: { mood: string; heading: string; text: string }): React.ReactElement {
  return (
    <div className="codeact-Status" data-mood={props.mood} aria-live="polite">
      <h2 className="codeact-Status-heading">{props.heading}</h2>
      <p className="codeact-Status-text">{props.text}</p>
    </div>
  );
}
