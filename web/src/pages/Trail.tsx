export function Trail() { return <div>Trail</div> }
