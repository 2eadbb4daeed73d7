CREATE TABLE returns (
    order_id INTEGER NOT NULL REFERENCES orders (id),
    resaon TEXT NOT NULL
);
