/** The mark in the side bar: a cell with a prompt, and a step leaving it. */
import { LabIcon } from '@jupyterlab/ui-components';

export const codeactIcon = new LabIcon({
  name: 'codeact:panel',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" fill="#616161">
    <path d="M4 3h16a2 2 0 0 1 2 2v6h-2V5H4v10h7v2H4a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2z"/>
    <path d="M6.7 6.8 10 10l-3.3 3.2-1.2-1.2 2-2-2-2z"/>
    <path d="M14 13h7v2h-3.6l3.6 3.6-1.4 1.4-3.6-3.6V20h-2z"/>
  </g>
</svg>`
});
