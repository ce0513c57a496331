/**
 * A page of what is inside a variable, as a table; the other pages are asked for one by one.
 *
 * Rule: all of it is text from the sandbox.
 */
import * as React from 'react';

import type { IPage } from '../answers';
import { Button, Trouble } from '../pieces';
import type { ILook } from '../state';
import { number } from '../words';

const ROWS = 50;
const COLUMNS = 20;

interface IActions {
  look(name: string, row?: number, column?: number): void;
  closeLook(): void;
}

export function PageView(props: { look: ILook; actions: IActions }): React.ReactElement {
  const { look, actions } = props;
  return (
    <div className="codeact-Page">
      <div className="codeact-Row codeact-Page-head">
        <Button label="‹ All variables" onClick={actions.closeLook} />
        <strong>{look.name}</strong>
        {look.page && (
          <span className="codeact-Facts">
            {`${number(look.page.height)} × ${number(look.page.width)}`}
          </span>
        )}
      </div>
      <Trouble sentence={look.problem} />
      {look.page && <Cells page={look.page} name={look.name} />}
      {look.page && <Turn page={look.page} name={look.name} actions={actions} />}
    </div>
  );
}

function Cells({ page, name }: { page: IPage; name: string }): React.ReactElement {
  return (
    <div className="codeact-Page-cells" tabIndex={0} role="region" aria-label={`Inside ${name}`}>
      <table className="codeact-Table">
        <thead>
          <tr>
            <td />
            {page.columns.map((column, at) => (
              <th key={at} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {page.cells.map((cells, row) => (
            <tr key={row}>
              <th scope="row">{page.index[row]}</th>
              {cells.map((cell, column) => (
                <td key={column} title={cell}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Buttons for the neighbouring pages, where there are some. */
function Turn(props: { page: IPage; name: string; actions: IActions }): React.ReactElement | null {
  const { page, name, actions } = props;
  const { row, column, height, width } = page;
  const to = (label: string, nextRow: number, nextColumn: number): React.ReactElement => (
    <Button
      key={label}
      label={label}
      onClick={() => {
        actions.look(name, nextRow, nextColumn);
      }}
    />
  );
  const buttons = [
    row > 0 && to('‹ Rows before', Math.max(0, row - ROWS), column),
    row + ROWS < height && to('Next rows ›', row + ROWS, column),
    column > 0 && to('‹ Columns before', row, Math.max(0, column - COLUMNS)),
    column + COLUMNS < width && to('Next columns ›', row, column + COLUMNS)
  ].filter(Boolean);
  return buttons.length ? <div className="codeact-Row">{buttons}</div> : null;
}
