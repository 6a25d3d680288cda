export function Runs() { return <div>Runs</div> }
