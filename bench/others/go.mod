module midden.bench

go 1.19
