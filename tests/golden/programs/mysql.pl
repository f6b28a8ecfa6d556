# Prepared statements and several results from a MariaDB server: takes its address and port.
use strict;
use warnings;
use DBI;

my ($host, $port) = @ARGV;
my $db = DBI->connect("DBI:MariaDB:database=d;host=$host;port=$port;mariadb_server_prepare=1;mariadb_multi_statements=1",
    "u", "pw", { RaiseError => 0, PrintError => 0 }) or die DBI->errstr;
$db->do("CREATE TABLE p (id bigint, name varchar(20), price double, at datetime)");
my $insert = $db->prepare("INSERT INTO p VALUES (?, ?, ?, ?)");
$insert->execute(1, "one", 1.5, "2024-01-02 03:04:05");
$insert->execute(2, undef, -2, undef);
my $select = $db->prepare("SELECT * FROM p WHERE id > ? ORDER BY id");
$select->execute(0);
$select->fetchall_arrayref;
$select->finish;
$db->prepare("SELECT broken FROM nowhere");
my $several = $db->prepare("SELECT 1; SELECT 2, 3", { mariadb_server_prepare => 0 });
$several->execute;
do { $several->fetchall_arrayref } while ($several->more_results);
$db->ping;
$db->disconnect;
