export function Reports() { return <div>Reports</div> }
