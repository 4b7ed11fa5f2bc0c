// The Tabler behaviours that console pages use. Handlers are delegated to the document,
// so content swapped in by htmx works at once; tooltips are made by app.js on htmx:load.
import Collapse from '@tabler/core/js/src/bootstrap/collapse';
import Dropdown from '@tabler/core/js/src/bootstrap/dropdown';
import Offcanvas from '@tabler/core/js/src/bootstrap/offcanvas';
import Tooltip from '@tabler/core/js/src/bootstrap/tooltip';

window.tabler = { Collapse, Dropdown, Offcanvas, Tooltip };
