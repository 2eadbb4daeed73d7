CREATE TABLE products (sku TEXT PRIMARY KEY, name TEXT NOT NULL, cents INTEGER NOT NULL);
INSERT INTO products VALUES ('tea-1', 'Green tea', 450), ('tea-2', 'Black tea', 390), ('cup-1', 'Children''s cup', 1200);
