export function Sources() { return <div>Sources</div> }
